"""neurodsr-keypoints: body parts that a tracker followed, as a kind of stream for neurodsr."""
