#!/usr/bin/env bash
# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# Fetches axe-core, which checks the accessibility of the page, into CACHE_DIR/axe.
#
#   deps.sh CACHE_DIR
#
# What is there in the wanted version is left alone.
set -euo pipefail

version=4.14.1

if (($# != 1)); then
	echo "usage: $0 CACHE_DIR" >&2
	exit 2
fi
for command in npm:npm chromium:chromium; do
	if ! command -v "${command%:*}" >/dev/null; then
		echo "${command%:*} is missing; on Debian: apt-get install -y ${command#*:}" >&2
		exit 1
	fi
done
axe=$1/axe
[[ -f $axe/from && $(<"$axe/from") == "$version" ]] && exit 0
mkdir -p "$1"
work=$(mktemp -d "$1/axe.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "axe-core@$version" >/dev/null && tar xzf axe-core-*.tgz package/axe.min.js)
rm -rf "$axe"
mkdir "$axe"
mv "$work/package/axe.min.js" "$axe/"
echo "$version" >"$axe/from"
