"""What any page of ours is made of: markup, small drawings, one stylesheet. Knows no data set."""
