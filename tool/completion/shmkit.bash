# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Completion of shmkit for bash 4.4 or newer. The command itself knows what can follow, and how the
# rest of a word is to be quoted after what has been typed. readline replaces no more than $2,
# wherever COMP_WORDBREAKS made it begin, so that a ':' in an address does no harm.

_shmkit() {
  mapfile -d '' -t COMPREPLY < <("$1" complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
  if ((${#COMPREPLY[@]} == 0)); then
    return
  elif [[ -z ${COMPREPLY[0]} ]]; then
    COMPREPLY=()
    compopt -o default
  elif ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[/:] ]]; then
    compopt -o nospace
  fi
}
complete -F _shmkit shmkit
