# fish completion of xl and xm; what may be typed is asked of the program itself.

function __xend_xl
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$typed" 2>/dev/null)
        switch $line
            case :words
            case :files
                __fish_complete_path "$typed"
            case '*'
                echo $line
        end
    end
end

complete -c xl -f -a '(__xend_xl)'
complete -c xm -f -a '(__xend_xl)'
