"""The student's own program, run unchanged in a miniature of its data set behind the sandbox's walls, and watched."""
