"""`check`: is a GLDv2 folder whole, do its tables agree, and does every image decode?"""
