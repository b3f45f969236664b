"""Live code of a submission, behind walls: a judge that asks, a zygote that forks, confined children that answer."""
