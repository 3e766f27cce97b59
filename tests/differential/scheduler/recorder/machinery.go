// Package machinery writes down what parts of kube-scheduler other than the plugins are asked and what they say, one JSON object a line, while upstream's
// own tests run. The files in machinery/ go into upstream's packages and call it (upstream_machinery.py).
package machinery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

var (
	lock sync.Mutex
	out  *os.File
	ids  = map[any]int{} // holds its keys, so that no address comes twice
)

// ID numbers objects in the order in which they come.
func ID(object any) int {
	lock.Lock()
	defer lock.Unlock()
	if ids[object] == 0 {
		ids[object] = len(ids) + 1
	}
	return ids[object]
}

// On is true while the tests of this package run, by its folder: other packages' tests use the same code, and nobody asks what it said there.
func On(folder string) bool {
	here, err := os.Getwd() // a test runs in the folder of its package
	return err == nil && filepath.Base(here) == folder
}

// Write adds a line to the recording of the package under test.
func Write(kind string, fields map[string]any) {
	lock.Lock()
	defer lock.Unlock()
	folder := os.Getenv("SQUALL_RECORD")
	if folder == "" {
		return
	}
	if out == nil {
		here, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		if out, err = os.OpenFile(filepath.Join(folder, "machinery-"+filepath.Base(here)+".jsonl"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
			panic(err)
		}
	}
	fields["kind"], fields["test"] = kind, test()
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// test is the name of the test function on the stack; empty in a goroutine of its own.
func test() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		name := frame.Function[strings.LastIndex(frame.Function, "/")+1:]
		if parts := strings.Split(name, "."); len(parts) > 1 && strings.HasSuffix(frame.File, "_test.go") && strings.HasPrefix(strings.ToLower(parts[1]), "test") {
			return parts[0] + "." + parts[1]
		}
		if !more {
			return ""
		}
	}
}
