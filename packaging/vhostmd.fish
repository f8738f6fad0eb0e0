# Completion of vhostmd in fish. The program lists what fits; files are offered as well.
function __vhostmd_completions
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    vhostmd --get-yargs-completions $words (commandline --current-token --cut-at-cursor)
end
complete --command vhostmd --arguments '(__vhostmd_completions)'
