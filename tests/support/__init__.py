"""What several rooms of tests share: real processes, independent peers, and the rules every test is held to."""
