; Authorizes every package on every core. Its output is its argument: the core's index.

.metadata "jamliquor authorizer"
.standard 0 0

    jump_ind r0, 0
