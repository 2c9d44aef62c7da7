"""The page of a ranking: what won, by how much, by which joules, with what doubt."""
