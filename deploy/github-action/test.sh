#!/usr/bin/env bash
# What the action does. Its inputs are variables SQUALL_...; the exit code is that of squall test.
set -uo pipefail

if ! command -v squall >/dev/null; then
  sources=$(cd "$(dirname "$0")/../.." && pwd)
  echo "::group::building squall"
  make -C "$sources" build || exit 2
  echo "::endgroup::"
  PATH="$sources/build/release:$PATH"
fi

# Words, without patterns: a path with * in it is squall's to refuse, not the shell's to expand.
set -f
arguments=($SQUALL_PATHS)
[ -z "${SQUALL_GOLDEN:-}" ] || arguments+=(--golden "$SQUALL_GOLDEN")
[ -z "${SQUALL_REPLICATIONS:-}" ] || arguments+=(--replications "$SQUALL_REPLICATIONS")
[ -z "${SQUALL_UNTIL_CI:-}" ] || arguments+=(--until-ci "$SQUALL_UNTIL_CI")
if [ -n "${SQUALL_SHARD:-}" ]; then
  arguments+=(--shard "$SQUALL_SHARD" -o "${SQUALL_SHARD_FOLDER:-squall-parts}")
else
  arguments+=(--junit "${SQUALL_JUNIT:-squall.xml}")
fi
arguments+=(${SQUALL_ARGS:-})

results=$(mktemp)
squall test "${arguments[@]}" | tee "$results"
code=${PIPESTATUS[0]}
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  {
    echo "### squall test: $([ "$code" -eq 0 ] && echo "all expectations hold" || echo "exit code $code")"
    echo
    echo '```'
    head -c 60000 "$results"  # a summary ends at 1 MiB
    echo '```'
  } >> "$GITHUB_STEP_SUMMARY"
fi
rm -f "$results"
exit "$code"
