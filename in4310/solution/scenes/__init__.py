"""The embedded data set: six classes of scenes, drawn by a seeded renderer."""
