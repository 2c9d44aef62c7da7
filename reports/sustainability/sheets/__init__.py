"""The pages of the sustainability report, a module a part."""
