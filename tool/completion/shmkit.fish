# SPDX-License-Identifier: MIT
# Completion of shmkit for fish. The command itself knows what can follow; fish quotes.

# A token without its quotes, of which the last one may be open.
function __shmkit_unescape
    string unescape -- $argv[1]; or string unescape -- $argv[1]\'; or string unescape -- $argv[1]\"
end

# Candidates, each ending with NUL, with what they are after a tab.
function __shmkit_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l typed (commandline --current-token --cut-at-cursor | string collect)
    set -l word (__shmkit_unescape "$typed" 2>/dev/null | string collect)
    set -l answers (command $words[1] complete words $words[2..] "$word" 2>/dev/null | string split0)
    if test (count $answers) -lt 2
        return
    else if test -n "$answers[1]"
        printf '%s\t%s\0' $answers
    else if set -l option (string match --regex -- '^--[^=]*=' $word)
        for path in (__fish_complete_path (string replace -- $option '' $word))
            printf '%s%s\0' $option $path
        end
    else
        for path in (__fish_complete_path $word)
            printf '%s\0' $path
        end
    end
end

complete --command shmkit --no-files --arguments '(__shmkit_complete | string split0)'
