#!/usr/bin/env bash
# The set-up in fresh clones of what is committed: with the oldest pip that is claimed and with the
# newest, in a folder with a space in its path, without HOME, once interrupted and begun again.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for pip in pip==23.0 pip; do
  clone="$folder/a clone with $pip"
  git clone --quiet . "$clone"
  set_up=(env -u HOME make --no-print-directory -C "$clone" setup "PIP=$pip" PYTHON="${PYTHON:-python3}")
  timeout --signal INT 6 "${set_up[@]}" || echo "(interrupted)"
  "${set_up[@]}"
  "$clone/.venv/bin/uv" pip check --python "$clone/.venv/bin/python"
  (cd "$clone" && .venv/bin/python -m pytest -q tests/test_setup.py)
done
