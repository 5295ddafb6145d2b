module preamp.dev/tests/oracle/protocol

go 1.26
