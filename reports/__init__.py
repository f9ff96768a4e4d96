"""Tables, figures, the HTML page and timelines: everything here reads results and simulates nothing."""
