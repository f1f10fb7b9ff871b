#!/usr/bin/env bash
# Prints what deploy/completion.bash offers for a command line, one a line.
#
#   complete.bash LINE    e.g. 'petition serve --li': the cursor stands at its end
#
# Does what readline does before it calls a completion: splits at spaces and at COMP_WORDBREAKS.
set -u

# shellcheck source=/dev/null
source /usr/share/bash-completion/bash_completion
# shellcheck source=../../deploy/completion.bash
source "$(dirname "$0")/../../deploy/completion.bash"

# Has no meaning outside of readline.
compopt() { :; }

COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
COMP_WORDS=()
rest=$COMP_LINE
while [[ $rest =~ ^[[:space:]]*([=:]+|[^[:space:]=:]+)(.*)$ ]]; do
    COMP_WORDS+=("${BASH_REMATCH[1]}")
    rest=${BASH_REMATCH[2]}
done
[[ $COMP_LINE != *[[:space:]] ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_TYPE=9
COMP_KEY=9
COMPREPLY=()

read -r -a rule < <(complete -p petition)
function=${rule[2]}
"$function" petition "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
