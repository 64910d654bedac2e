#!/usr/bin/env bash
# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# Fetches and builds the servers that the tests with the tag e2e start, and the
# libraries of the programs in other languages that they run.
#
#   deps.sh CACHE_DIR [airflow]
#
# With airflow, it is Airflow and Spark instead, for the tests with that tag.
#
# Each server and each language gets a folder of CACHE_DIR, with its coordinates
# in the file `from`. What is there in the wanted version is left alone, so a
# second run takes no time; an interrupted run leaves nothing half done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if (($# != 1)) && [[ $# != 2 || $2 != airflow ]]; then
	echo "usage: $0 CACHE_DIR [airflow]" >&2
	exit 2
fi
mkdir -p "$1"
cache=$(cd "$1" && pwd -P) # npm refuses a folder behind a link.

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

# compile NAME SOURCE: a main class, with the jars of NAME.
compile() {
	local class
	class=$(basename "$2" .java).class
	if [[ $cache/$1/$class -nt $2 ]]; then
		return
	fi
	echo "$1: compiling $2"
	javac -cp "$cache/$1/lib/*" -d "$cache/$1" "$2"
}

# build NAME MODULE...: the tools of NAME/go.mod into $cache/NAME, in the versions that
# it requires of the modules.
build() {
	local name=$1 coordinates work
	shift
	coordinates=$(go -C "$name" list -m "$@" | paste -sd ' ')
	if have "$name" "$coordinates"; then
		echo "$name: $coordinates is there"
		return
	fi
	echo "$name: building $coordinates; this takes some minutes"
	work=$(mktemp -d "$cache/.$name.XXXXXX")
	cp "$name"/go.{mod,sum} "$work"
	if [[ $name == monitoring ]]; then
		patch_alertmanager "$work"
	fi
	# Prometheus discovers targets by file and by URL here, and in no cloud.
	go -C "$work" build -p 2 -tags remove_all_sd -o "$work/" tool
	if [[ -f $work/server ]]; then # The module of etcd gives its program this name.
		mv "$work/server" "$work/etcd"
	fi
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

# install_python NAME REQUIREMENTS: an environment with the packages in the file REQUIREMENTS.
install_python() {
	local name=$1 version coordinates work
	version=$(python3 --version)
	coordinates="$version $(cksum <"$2")" # Some packages are compiled for one version.
	if have "$name" "$coordinates"; then
		echo "$name: the packages of $2 are there"
		return
	fi
	echo "$name: installing the packages of $2"
	work=$(mktemp -d "$cache/.$name.XXXXXX")
	python3 -m venv "$work"
	"$work/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$2"
	echo "$coordinates" >"$work/from"
	rm -rf "${cache:?}/$name"
	mv "$work" "$cache/$name"
}

# install_node FOLDER: the packages that package-lock.json in FOLDER lists.
install_node() {
	local coordinates work
	coordinates=$(cksum <"$1/package-lock.json")
	if have node "$coordinates"; then
		echo "node: the packages of $1 are there"
		return
	fi
	echo "node: installing the packages of $1"
	work=$(mktemp -d "$cache/.node.XXXXXX")
	cp "$1"/package{,-lock}.json "$work"
	npm --prefix "$work" ci --silent --ignore-scripts --no-audit --no-fund
	echo "$coordinates" >"$work/from"
	rm -rf "${cache:?}/node"
	mv "$work" "$cache/node"
}

missing=
need java default-jre-headless
need python3 python3
if (($# == 1)); then
	need go golang-go
	need javac default-jdk-headless
	need mvn maven
	need npm npm
fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
	echo "Python's venv is missing; on Debian: apt-get install -y python3-venv" >&2
	missing=1
fi
if [[ $missing ]]; then
	exit 1
fi

if (($# == 2)); then
	install_python airflow airflow/requirements/airflow.txt
	install_python airflow-next airflow/requirements/airflow-next.txt
	install_python spark airflow/requirements/spark.txt
	exit
fi

# Kafka logs through slf4j and brings no backend for it.
fetch kafka org.apache.kafka:kafka_2.13:4.3.0 org.slf4j:slf4j-simple:1.7.36
fetch mongo-java-server de.bwaldvogel:mongo-java-server:1.47.0 org.slf4j:slf4j-simple:2.0.17
compile mongo-java-server server/mongojava/Main.java

fetch java org.apache.kafka:kafka-clients:4.3.0 org.slf4j:slf4j-simple:1.7.36 \
	io.opentelemetry.javaagent:opentelemetry-javaagent:2.25.0
compile java languages/peers/java/Peer.java
install_python python languages/peers/python/requirements.txt
install_python python-oldest languages/peers/python/requirements-oldest.txt # The oldest that waybill_receiver.py supports.
install_node languages/peers/node

build monitoring github.com/prometheus/{prometheus,alertmanager,pushgateway}
build controlplane k8s.io/kubernetes go.etcd.io/etcd/server/v3
go -C controlplane build -o "$cache/controlplane/" ./envfile
