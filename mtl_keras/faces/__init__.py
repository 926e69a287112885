"""Cut the faces out of the photos of a label table: found by a detector, aligned, written as a folder of crops."""
