# bash completion of xl and xm; what may be typed is asked of the program itself.

_xend_xl() {
    local IFS=$'\n' lines line cur=${COMP_WORDS[COMP_CWORD]}
    mapfile -t lines < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=()
    for line in "${lines[@]}"; do
        case $line in
        :words) ;;
        :files)
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
            ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done
}

complete -F _xend_xl xl xm
