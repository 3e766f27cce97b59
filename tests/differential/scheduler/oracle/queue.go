package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
	_ "unsafe" // for linkname

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	testingclock "k8s.io/utils/clock/testing"
)

// The handlers of informer events, and what the queue's own goroutines call every second and every 30 s.

//go:linkname handlePodAdd k8s.io/kubernetes/pkg/scheduler.(*Scheduler).addPod
func handlePodAdd(sched *scheduler.Scheduler, obj interface{})

//go:linkname handlePodUpdate k8s.io/kubernetes/pkg/scheduler.(*Scheduler).updatePod
func handlePodUpdate(sched *scheduler.Scheduler, oldObj, newObj interface{})

//go:linkname handlePodDelete k8s.io/kubernetes/pkg/scheduler.(*Scheduler).deletePod
func handlePodDelete(sched *scheduler.Scheduler, obj interface{})

//go:linkname handleNodeAdd k8s.io/kubernetes/pkg/scheduler.(*Scheduler).addNodeToCache
func handleNodeAdd(sched *scheduler.Scheduler, obj interface{})

//go:linkname handleNodeUpdate k8s.io/kubernetes/pkg/scheduler.(*Scheduler).updateNodeInCache
func handleNodeUpdate(sched *scheduler.Scheduler, oldObj, newObj interface{})

//go:linkname handleNodeDelete k8s.io/kubernetes/pkg/scheduler.(*Scheduler).deleteNodeFromCache
func handleNodeDelete(sched *scheduler.Scheduler, obj interface{})

//go:linkname flushBackoff k8s.io/kubernetes/pkg/scheduler/backend/queue.(*PriorityQueue).flushBackoffQCompleted
func flushBackoff(queue *internalqueue.PriorityQueue, logger klog.Logger)

//go:linkname flushUnschedulable k8s.io/kubernetes/pkg/scheduler/backend/queue.(*PriorityQueue).flushUnschedulablePodsLeftover
func flushUnschedulable(queue *internalqueue.PriorityQueue, logger klog.Logger)

type queueStep struct {
	T             int64    `json:"t"`
	Op            string   `json:"op"`
	Index         int      `json:"index"`
	Pod           string   `json:"pod"`
	Attempt       int      `json:"attempt"`
	Node          string   `json:"node"`
	Message       string   `json:"message"`
	Active        []string `json:"active"`
	Backoff       []string `json:"backoff"`
	Unschedulable []string `json:"unschedulable"`
}

type scriptEntry struct {
	Op     string          `json:"op"`
	Object json.RawMessage `json:"object"`
}

type queueInput struct {
	Name    string            `json:"name"`
	Objects []json.RawMessage `json:"objects"`
	Script  []scriptEntry     `json:"script"`
	Steps   []queueStep       `json:"steps"`
}

type queueOutput struct {
	Name  string `json:"name"`
	Step  int    `json:"step"` // the first that differs
	What  string `json:"what,omitempty"`
	Ours  any    `json:"ours,omitempty"`
	Their any    `json:"theirs,omitempty"`
	Pops  int    `json:"pops"`
	Looks int    `json:"looks"`
}

// queueBase is a whole second: the flusher is aligned to these.
var queueBase = time.Unix(1_800_000_000, 0)

type queueReplay struct {
	*world
	clock   *testingclock.FakeClock
	queue   *internalqueue.PriorityQueue
	nodes   map[string]*v1.Node
	ticked  int64
	version int
	later   []queueStep // after the one in hand
}

func replayQueue(input *queueInput) *queueOutput {
	output := &queueOutput{Name: input.Name, Step: -1}
	clock := testingclock.NewFakeClock(queueBase)
	w, err := newWorld(&clusterInput{Name: input.Name, Objects: input.Objects}, scheduler.WithClock(clock))
	if err != nil {
		output.What = err.Error()
		return output
	}
	defer w.close()
	r := &queueReplay{world: w, clock: clock, queue: w.sched.SchedulingQueue.(*internalqueue.PriorityQueue), nodes: map[string]*v1.Node{}, version: 10}
	for _, object := range w.factory.Core().V1().Nodes().Informer().GetIndexer().List() {
		node := object.(*v1.Node)
		r.nodes[node.Name] = node
	}
	for i, step := range input.Steps {
		r.advance(step.T)
		r.later = input.Steps[i+1:]
		what, ours, theirs := r.take(input, &step)
		switch step.Op {
		case "cycle":
			output.Pops++
		case "look":
			output.Looks++
		}
		if what != "" {
			output.Step, output.What, output.Ours, output.Their = i, what, ours, theirs
			return output
		}
	}
	return output
}

func (r *queueReplay) advance(t int64) {
	for tick := r.ticked + 1; tick*int64(time.Second) <= t; tick++ {
		r.clock.SetTime(queueBase.Add(time.Duration(tick) * time.Second))
		flushBackoff(r.queue, r.logger)
		if tick%30 == 0 {
			flushUnschedulable(r.queue, r.logger)
		}
		r.ticked = tick
	}
	r.clock.SetTime(queueBase.Add(time.Duration(t)))
}

func (r *queueReplay) take(input *queueInput, step *queueStep) (string, any, any) {
	switch step.Op {
	case "event":
		return r.event(&input.Script[step.Index]), nil, nil
	case "bound":
		old := r.pods[step.Pod]
		bound := r.fresh(old)
		bound.Spec.NodeName = r.nominated[step.Pod]
		return r.replace(old, bound), nil, nil
	case "status":
		old := r.pods[step.Pod]
		failed := r.fresh(old)
		failed.Status.Conditions = []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: v1.PodReasonUnschedulable, Message: fmt.Sprint(r.version)}}
		return r.replace(old, failed), nil, nil
	case "cycle":
		return r.cycle(input, step)
	case "look":
		for _, one := range []struct {
			what string
			ours []string
			real []*v1.Pod
		}{{"active", step.Active, r.queue.PodsInActiveQ()}, {"backoff", step.Backoff, r.queue.PodsInBackoffQ()}, {"unschedulable", step.Unschedulable, r.queue.UnschedulablePods()}} {
			theirs := []string{}
			for _, pod := range one.real {
				theirs = append(theirs, key(pod))
			}
			sort.Strings(theirs)
			sort.Strings(one.ours)
			if !slices.Equal(one.ours, theirs) {
				return one.what, one.ours, theirs
			}
		}
		return "", nil, nil
	}
	return "unknown step " + step.Op, nil, nil
}

func (r *queueReplay) fresh(pod *v1.Pod) *v1.Pod {
	r.version++
	result := pod.DeepCopy()
	result.ResourceVersion = fmt.Sprint(r.version)
	return result
}

func (r *queueReplay) replace(old, to *v1.Pod) string {
	r.pods[key(to)] = to
	if err := r.factory.Core().V1().Pods().Informer().GetIndexer().Update(to); err != nil {
		return err.Error()
	}
	handlePodUpdate(r.sched, old, to)
	return ""
}

func (r *queueReplay) event(entry *scriptEntry) string {
	object, err := decode(entry.Object)
	if err != nil {
		return err.Error()
	}
	r.version++
	switch o := object.(type) {
	case *v1.Node:
		o.ResourceVersion = fmt.Sprint(r.version)
		store := r.factory.Core().V1().Nodes().Informer().GetIndexer()
		old := r.nodes[o.Name]
		switch entry.Op {
		case "create":
			r.nodes[o.Name] = o
			_ = store.Add(o)
			handleNodeAdd(r.sched, o)
		case "update":
			r.nodes[o.Name] = o
			_ = store.Update(o)
			handleNodeUpdate(r.sched, old, o)
		case "delete":
			delete(r.nodes, o.Name)
			_ = store.Delete(old)
			handleNodeDelete(r.sched, old)
		}
	case *v1.Pod:
		admitted(o)
		o.ResourceVersion = fmt.Sprint(r.version)
		store := r.factory.Core().V1().Pods().Informer().GetIndexer()
		old := r.pods[key(o)]
		switch entry.Op {
		case "create":
			r.pods[key(o)] = o
			_ = store.Add(o)
			handlePodAdd(r.sched, o)
		case "update":
			o.Spec.NodeName = old.Spec.NodeName
			o.Status = old.Status
			return r.replace(old, o)
		case "delete":
			delete(r.pods, key(o))
			_ = store.Delete(old)
			handlePodDelete(r.sched, old)
		}
	default:
		return fmt.Sprintf("%T in a script", object)
	}
	return ""
}

// isGone says whether a pod is deleted already, and the news still on their way.
func (r *queueReplay) isGone(input *queueInput, name string, now int64) bool {
	for _, step := range r.later {
		if step.T > now+int64(5*time.Millisecond) {
			return false
		}
		if step.Op != "event" || input.Script[step.Index].Op != "delete" {
			continue
		}
		object, err := decode(input.Script[step.Index].Object)
		if pod, ok := object.(*v1.Pod); err == nil && ok && key(pod) == name {
			return true
		}
	}
	return false
}

func (r *queueReplay) cycle(input *queueInput, step *queueStep) (string, any, any) {
	popped := make(chan *framework.QueuedPodInfo, 1)
	go func() {
		info, _ := r.queue.Pop(r.logger)
		popped <- info
	}()
	var info *framework.QueuedPodInfo
	select {
	case info = <-popped:
	case <-time.After(5 * time.Second):
		return "pop", step.Pod, "nothing can be popped"
	}
	if info != nil && key(info.Pod) != step.Pod && r.isGone(input, key(info.Pod), step.T) {
		// Squall drops a pod that is gone though nobody has heard of it; the real scheduler would fail to bind it.
		r.queue.Done(info.Pod.UID)
		return r.cycle(input, step)
	}
	if info == nil || key(info.Pod) != step.Pod {
		theirs := "nothing"
		if info != nil {
			theirs = key(info.Pod)
		}
		return "pop", step.Pod, theirs
	}
	if info.Attempts != step.Attempt {
		return "attempt", step.Attempt, info.Attempts
	}
	fw, err := r.framework(info.Pod)
	if err != nil {
		return err.Error(), nil, nil
	}
	if _, err := r.snapshot(fw); err != nil {
		return err.Error(), nil, nil
	}
	result, err := r.sched.SchedulePod(r.ctx, fw, framework.NewCycleState(), info)
	if err == nil {
		if result.SuggestedHost != step.Node {
			return "node", step.Node, result.SuggestedHost
		}
		assumed := info.Pod.DeepCopy()
		assumed.Spec.NodeName = result.SuggestedHost
		if err := r.sched.Cache.AssumePod(r.logger, assumed); err != nil {
			return err.Error(), nil, nil
		}
		r.nominated[step.Pod] = result.SuggestedHost
		r.queue.Done(info.Pod.UID)
		return "", nil, nil
	}
	status := fwk.AsStatus(err)
	if fitError, ok := err.(*framework.FitError); ok {
		status = fwk.NewStatus(fwk.Unschedulable).WithError(fitError)
		if ours, _, _ := strings.Cut(step.Message, " preemption:"); ours != strings.TrimSuffix(fitError.Error(), " ") {
			return "message", ours, fitError.Error()
		}
	} else if step.Message != err.Error() {
		return "message", step.Message, err.Error()
	}
	return r.fail(info, status), nil, nil
}

// fail is handleSchedulingFailure up to its request to the API server.
func (r *queueReplay) fail(info *framework.QueuedPodInfo, status *fwk.Status) string {
	info.ClearRejectorPlugins()
	if fitError, ok := status.AsError().(*framework.FitError); ok {
		info.UnschedulablePlugins = fitError.Diagnosis.UnschedulablePlugins
		info.PendingPlugins = fitError.Diagnosis.PendingPlugins
	}
	podInfo, err := framework.NewPodInfo(r.pods[key(info.Pod)].DeepCopy())
	if err != nil {
		return err.Error()
	}
	info.PodInfo = podInfo
	if err := r.queue.AddUnschedulableIfNotPresent(r.logger, info, r.queue.SchedulingCycle()); err != nil {
		return err.Error()
	}
	r.queue.AddNominatedPod(r.logger, info.PodInfo, nil)
	return ""
}
