"""The whole job as one resumable run, and checks of files, folders and installation."""
