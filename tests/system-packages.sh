#!/bin/sh
# Prometheus and Alertmanager for the tests that run the real ones; without them those tests skip and say so.
set -eu

missing=
for package in prometheus prometheus-alertmanager; do
    command -v "$package" >/dev/null || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests: not installed, so the tests that run them skip:$missing (installing takes root and apt-get)"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # one word for each package
apt-get install -qq -y --no-install-recommends $missing >/dev/null
