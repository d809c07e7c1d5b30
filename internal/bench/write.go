package main

import "time"

func write(path string, results []result, took time.Duration) error { return nil }
