"""People in a video, counted: frames -> faces or bodies -> tracks -> people -> counts -> report and drawn video."""
