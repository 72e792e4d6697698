"""The registry of releases: versions as git tags, one pointer to the champion, a lease for who may promote."""
