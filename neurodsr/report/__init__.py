"""All results of a run as one plain value, and its views: report.json and one HTML page."""
