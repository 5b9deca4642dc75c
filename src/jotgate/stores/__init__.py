"""Where state that outlives a process is kept, and what the layers below ask of it."""
