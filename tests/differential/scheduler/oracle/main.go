// oracle: what the real kube-scheduler decides, as JSON.
//
// It takes the framework of k8s.io/kubernetes with the default profile (or the one of a KubeSchedulerConfiguration), its cache and its snapshot,
// without an API server: nodes and pods go into the scheduler's cache in the order of the input, everything else into the informers' stores.
//
// Input: one cluster a line, {"name", "objects": [...], "cycles": [{"pod", "attempt", "offset"}], "config": {...}}. Output: one answer a line, with
// each plugin's filter verdict on each node, scores before and after normalisation, the best nodes, the choice, preemption, and the message of
// the FailedScheduling event.
//
// Goroutine timing and map order are not decisions: one worker instead of sixteen (--parallelism 1), and where the order of a Go map settles a tie,
// the choice is made by the rule that docs/models/scheduler.md writes down, after a check that the real choice is among the equals.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

type cycleInput struct {
	Pod     string `json:"pod"`
	Attempt int    `json:"attempt"`
	Offset  int32  `json:"offset"` // of preemption's dry run: a random draw, hence part of the input
}

type clusterInput struct {
	Name    string            `json:"name"`
	Objects []json.RawMessage `json:"objects"`
	Cycles  []cycleInput      `json:"cycles"`
	Config  json.RawMessage   `json:"config"`
}

type clusterOutput struct {
	Name   string         `json:"name"`
	Cycles []*cycleOutput `json:"cycles"`
	Error  string         `json:"error,omitempty"`
}

func main() {
	queue := flag.Bool("queue", false, "replay the steps of queue_trace in the real queue, with a fake clock")
	benchmark := flag.Bool("bench", false, "measure: schedule the pending pods of each cluster once, and print pods/s only")
	parallelism := flag.Int("parallelism", 1, "workers of filters and scores; 1: the order of visits is that of the list")
	flag.Parse()
	workers = int32(*parallelism)
	klog.SetOutput(os.Stderr)
	klog.LogToStderr(false)
	debug.SetGCPercent(400)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	decoder := json.NewDecoder(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for *queue && decoder.More() {
		var input queueInput
		if err := decoder.Decode(&input); err != nil {
			fmt.Fprintln(os.Stderr, "oracle: input:", err)
			os.Exit(2)
		}
		_ = encoder.Encode(replayQueue(&input))
		_ = out.Flush()
	}
	for decoder.More() {
		var input clusterInput
		if err := decoder.Decode(&input); err != nil {
			fmt.Fprintln(os.Stderr, "oracle: input:", err)
			os.Exit(2)
		}
		if *benchmark {
			if err := measure(&input, encoder); err != nil {
				fmt.Fprintln(os.Stderr, "oracle:", input.Name, err)
				os.Exit(1)
			}
		} else {
			_ = encoder.Encode(answer(&input))
		}
		_ = out.Flush()
	}
}

func answer(input *clusterInput) (output *clusterOutput) {
	output = &clusterOutput{Name: input.Name}
	defer func() {
		if problem := recover(); problem != nil {
			output.Error = fmt.Sprintf("panic: %v\n%s", problem, debug.Stack())
		}
	}()
	w, err := newWorld(input)
	if err != nil {
		output.Error = err.Error()
		return output
	}
	defer w.close()
	for _, cycle := range input.Cycles {
		result, err := w.run(cycle)
		if err != nil {
			output.Error = fmt.Sprintf("%s attempt %d: %v", cycle.Pod, cycle.Attempt, err)
			return output
		}
		output.Cycles = append(output.Cycles, result)
	}
	return output
}

type measurement struct {
	Name      string  `json:"name"`
	Pods      int     `json:"pods"`
	Scheduled int     `json:"scheduled"`
	Seconds   float64 `json:"seconds"`
	// Of all threads together, so that a busy machine spoils it less.
	CPUSeconds float64 `json:"cpuSeconds"`
	// With one worker, when the choice is a decision.
	Placements map[string]string `json:"placements,omitempty"`
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func measure(input *clusterInput, encoder *json.Encoder) error {
	w, err := newWorld(input)
	if err != nil {
		return err
	}
	defer w.close()
	result := measurement{Name: input.Name, Placements: map[string]string{}}
	cpu := cpuSeconds()
	start := time.Now()
	for _, key := range w.pending {
		node, err := w.scheduleOnly(key)
		if err != nil {
			return err
		}
		result.Pods++
		if node != "" {
			result.Scheduled++
			result.Placements[key] = node
		}
	}
	result.Seconds = time.Since(start).Seconds()
	result.CPUSeconds = cpuSeconds() - cpu
	if workers != 1 {
		result.Placements = nil
	}
	return encoder.Encode(result)
}
