module preamp.dev/tests/bench/serve

go 1.26

require github.com/golang/snappy v1.0.0
