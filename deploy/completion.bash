# Completion of petition(1) in bash; loaded, and its helpers brought, by bash-completion.
# shellcheck shell=bash

# ADDR:PORT and unix:PATH. Readline completes what follows the last colon.
_petition_address() {
    if [[ $cur == unix:* ]]; then
        cur=${cur#unix:}
        _filedir
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:8080 0.0.0.0:8080 [::1]:8080 unix:' -- "$cur")
    [[ ${COMPREPLY[*]} != unix: ]] || compopt -o nospace
    __ltrim_colon_completions "$cur"
}

_petition_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_petition() {
    # shellcheck disable=SC2034 # prev and words are set by _init_completion
    local cur prev words cword split
    _init_completion -s -n : || return

    case $prev in
    --data | --public | --out)
        _filedir -d
        return
        ;;
    --config | --key | --log | --save)
        _filedir
        return
        ;;
    --listen)
        _petition_address
        return
        ;;
    --origin | --vkey | --minisign) return ;;
    esac
    $split && return

    local command='' arguments=0 i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --data | --public | --out | --config | --key | --listen | --origin | --save | --log | --vkey | --minisign) ((++i)) ;;
        -?*) ;;
        *) [[ $command ]] && ((++arguments)) || command=${words[i]} ;;
        esac
    done

    local -A options=([init]='--demo --origin' [serve]=--listen [deliver]=--out [close]=--yes [open]=--key [restore]='--key --log' [verify]='--vkey --minisign --save')
    case $command:$arguments:$cur in
    *:*:-*) _petition_words "--data --config --public --help --version ${options[${command:-none}]-}" ;;
    :*) _petition_words 'init serve organiser token deliver export open withdraw void import close backup restore check verify healthcheck version help' ;;
    organiser:0:*) _petition_words 'add passwd' ;;
    export:0:* | open:0:* | backup:0:* | restore:0:* | verify:*) _filedir ;;
    import:0:*) _filedir csv ;;
    void:1:*) _petition_words 'request duplicate fraud test' ;;
    withdraw:0:*) _petition_words - ;;
    esac
}

complete -F _petition petition
