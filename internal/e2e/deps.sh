#!/usr/bin/env bash
# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# Fetches and builds the servers that the tests with the tag e2e start.
#
#   deps.sh CACHE_DIR
#
# Each server gets a folder of CACHE_DIR, with its coordinates in the file
# `from`. What is there in the wanted version is left alone, so a second run
# takes no time; an interrupted run leaves nothing half done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if (($# != 1)); then
	echo "usage: $0 CACHE_DIR" >&2
	exit 2
fi
mkdir -p "$1"
cache=$(cd "$1" && pwd)

# need COMMAND PACKAGE: the command must be installed.
need() {
	if ! command -v "$1" >/dev/null; then
		echo "$1 is missing; on Debian: apt-get install -y $2" >&2
		missing=1
	fi
}

# have NAME COORDINATES...: reports whether the server is there, from these.
have() {
	local name=$1
	shift
	[[ -f $cache/$name/from && $(<"$cache/$name/from") == "$*" ]]
}

# fetch NAME COORDINATES...: the jars of the artifacts group:artifact:version,
# and of what they depend on, into $cache/NAME/lib.
fetch() {
	local name=$1 coordinate group artifact version work
	shift
	if have "$name" "$@"; then
		echo "$name: $* is there"
		return
	fi
	echo "$name: fetching $*"
	work=$(mktemp -d "$cache/.$name.XXXXXX")
	{
		echo '<project><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>e2e</groupId><artifactId>deps</artifactId><version>1</version><packaging>pom</packaging>'
		echo '<dependencies>'
		for coordinate in "$@"; do
			IFS=: read -r group artifact version <<<"$coordinate"
			echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
		done
		echo '</dependencies></project>'
	} >"$work/pom.xml"
	mvn --quiet --batch-mode -Dstyle.color=never --file "$work/pom.xml" \
		dependency:copy-dependencies -DoutputDirectory="$work/lib"
	echo "$*" >"$work/from"
	rm -rf "${cache:?}/$name"
	mv "$work" "$cache/$name"
}

# compile NAME SOURCE: a main class for the server.
compile() {
	if [[ $cache/$1/Main.class -nt $2 ]]; then
		return
	fi
	echo "$1: compiling $2"
	javac -cp "$cache/$1/lib/*" -d "$cache/$1" "$2"
}

# build NAME MODULE...: the tools of monitoring/go.mod into $cache/NAME, in the
# versions that it requires of the modules.
build() {
	local name=$1 coordinates work
	shift
	coordinates=$(go -C monitoring list -m "$@" | paste -sd ' ')
	if have "$name" "$coordinates"; then
		echo "$name: $coordinates is there"
		return
	fi
	echo "$name: building $coordinates; this takes some minutes"
	work=$(mktemp -d "$cache/.$name.XXXXXX")
	cp monitoring/go.{mod,sum} "$work"
	patch_alertmanager "$work"
	# Prometheus discovers targets by file and by URL here, and in no cloud.
	go -C "$work" build -p 2 -tags remove_all_sd -o "$work/" tool
	rm -rf "$work"/go.{mod,sum} "$work/source"
	echo "$coordinates" >"$work/from"
	rm -rf "${cache:?}/$name"
	mv "$work" "$cache/$name"
}

# patch_alertmanager WORK: lets the module in WORK take Alertmanager from a copy
# of its source with a page for the user interface, which is embedded, comes from
# a JavaScript build, and is not in the module.
patch_alertmanager() {
	local module=github.com/prometheus/alertmanager source=$1/source
	go -C monitoring mod download "$module"
	cp -r "$(go -C monitoring list -m -f '{{.Dir}}' "$module")" "$source"
	chmod -R u+w "$source"
	mkdir -p "$source/ui/app/dist"
	echo 'This build has no user interface.' >"$source/ui/app/dist/index.html"
	go -C "$1" mod edit -replace "$module=./source"
}

missing=
need go golang-go
need java default-jre-headless
need javac default-jdk-headless
need mvn maven
if [[ $missing ]]; then
	exit 1
fi

# Kafka logs through slf4j and brings no backend for it.
fetch kafka org.apache.kafka:kafka_2.13:4.3.0 org.slf4j:slf4j-simple:1.7.36
fetch mongo-java-server de.bwaldvogel:mongo-java-server:1.47.0 org.slf4j:slf4j-simple:2.0.17
compile mongo-java-server server/mongojava/Main.java

build monitoring github.com/prometheus/{prometheus,alertmanager,pushgateway}
