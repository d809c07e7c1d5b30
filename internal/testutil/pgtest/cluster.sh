# Runs a PostgreSQL server from the binaries in $1 in the directory $2 until standard input ends, which
# it does when the tests are over and also when they were killed; then nothing of it is left.
bin=$1
dir=$2
trap 'cd /; rm -rf "$dir"' EXIT

fail() {
	echo "$1:"
	cat "$dir/log"
	exit 1
}

"$bin/initdb" -D "$dir/data" --username=sesame --auth=trust --encoding=UTF8 --no-locale --no-sync >"$dir/log" 2>&1 ||
	fail "initdb failed"
cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 200
shared_buffers = 64MB
fsync = off
full_page_writes = off
synchronous_commit = off
END
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -s start >>"$dir/log" 2>&1 ||
	fail "pg_ctl start failed"
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m immediate -w -s stop
