// Package record writes down what kube-scheduler's plugins are asked and what they say, one JSON object a line, while upstream's own tests run.
//
// upstream_tables.py puts it into a copy of k8s.io/kubernetes and wraps the plugins' methods with it. Each line is an event: `new` (arguments and
// feature gates of an instance), `preFilter`, `filter`, `shift` (AddPod, RemovePod), `preScore`, `score`, `normalise`. The first event of a state carries
// the cluster as the plugin could see it: nodes, pods on them, and what the listers hold.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	configv1 "k8s.io/kube-scheduler/config/v1"
	fwk "k8s.io/kube-scheduler/framework"
	configscheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
)

type event struct {
	Event    string            `json:"event"`
	Plugin   string            `json:"plugin"`
	Test     string            `json:"test,omitempty"`
	Instance int               `json:"instance"`
	State    int               `json:"state"` // 0: none
	Objects  []json.RawMessage `json:"objects,omitempty"`
	Pod      json.RawMessage   `json:"pod,omitempty"`
	Other    json.RawMessage   `json:"other,omitempty"` // of a shift
	Change   int               `json:"change,omitempty"`
	Node     string            `json:"node,omitempty"`
	Nodes    []string          `json:"nodes,omitempty"`
	Code     string            `json:"code,omitempty"`
	Reasons  []string          `json:"reasons,omitempty"`
	Score    int64             `json:"score"`
	Scores   map[string]int64  `json:"scores,omitempty"`
	Args     json.RawMessage   `json:"args,omitempty"`
	Gates    any               `json:"gates,omitempty"`
	Method   string            `json:"method,omitempty"`
	Before   json.RawMessage   `json:"before,omitempty"`
	After    json.RawMessage   `json:"after,omitempty"`
}

type instance struct {
	id     int
	handle fwk.Handle
}

var (
	lock      sync.Mutex
	out       *os.File
	instances = map[any]*instance{}
	states    = map[stateOf]*seenState{} // holds the states, so that no address comes twice
)

// seenState is what of a state was written already.
type seenState struct {
	id    int
	nodes map[string]bool
}

type stateOf struct {
	plugin any
	state  any
}

func write(e *event) {
	if out == nil {
		folder := os.Getenv("SQUALL_RECORD")
		if folder == "" {
			return
		}
		here, err := os.Getwd() // a test runs in the folder of its package
		if err != nil {
			panic(err)
		}
		if out, err = os.OpenFile(filepath.Join(folder, filepath.Base(here)+".jsonl"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
			panic(err)
		}
	}
	e.Test = test()
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// test is the name of the test function on the stack.
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

func of(plugin any) *instance {
	found, ok := instances[plugin]
	if !ok {
		found = &instance{id: len(instances) + 1}
		instances[plugin] = found
		// Some tests make the struct themselves: its switches stand for the gates.
		gates := map[string]bool{}
		if receiver := reflect.ValueOf(plugin).Elem(); receiver.Kind() == reflect.Struct {
			for i := 0; i < receiver.NumField(); i++ {
				if name, is := strings.CutPrefix(receiver.Type().Field(i).Name, "enable"); is && receiver.Field(i).Kind() == reflect.Bool {
					gates["Enable"+name] = receiver.Field(i).Bool()
				}
			}
		}
		write(&event{Event: "new", Instance: found.id, Gates: gates})
	}
	return found
}

func begin(kind, name string, plugin any, state fwk.CycleState, pod *v1.Pod) (*event, *seenState) {
	e := &event{Event: kind, Plugin: name, Instance: of(plugin).id, Pod: podJSON(pod, "")}
	if state == nil || reflect.ValueOf(state).IsNil() {
		return e, &seenState{nodes: map[string]bool{}}
	}
	key := stateOf{plugin, state}
	seen, ok := states[key]
	if !ok {
		seen = &seenState{id: len(states) + 1, nodes: map[string]bool{}}
		states[key] = seen
	}
	e.State = seen.id
	return e, seen
}

// with adds the objects to the event, and remembers their nodes.
func (s *seenState) with(e *event, objects []json.RawMessage) {
	e.Objects = objects
	for _, object := range objects {
		var named struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if json.Unmarshal(object, &named) == nil && named.Kind == "Node" {
			s.nodes[named.Metadata.Name] = true
		}
	}
}

func setStatus(e *event, status *fwk.Status) {
	e.Code = status.Code().String()
	if status != nil {
		e.Reasons = status.Reasons()
	}
}

// New notes how an instance was made.
func New(name string, plugin any, args apiruntime.Object, handle fwk.Handle, gates any) {
	lock.Lock()
	defer lock.Unlock()
	if plugin == nil || reflect.ValueOf(plugin).IsNil() {
		return
	}
	made := of(plugin)
	made.handle = handle
	e := &event{Event: "new", Plugin: name, Instance: made.id, Gates: gates}
	if args != nil && !reflect.ValueOf(args).IsNil() {
		if versioned, err := configscheme.Scheme.ConvertToVersion(args, configv1.SchemeGroupVersion); err == nil {
			e.Args, _ = json.Marshal(versioned)
		} else {
			e.Args, _ = json.Marshal(err.Error())
		}
	}
	write(e)
}

func PreFilter(name string, plugin any, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo, objects []json.RawMessage, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e, seen := begin("preFilter", name, plugin, state, pod)
	seen.with(e, objects)
	setStatus(e, status)
	write(e)
}

func Filter(name string, plugin any, state fwk.CycleState, pod *v1.Pod, node fwk.NodeInfo, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e, seen := begin("filter", name, plugin, state, pod)
	if !seen.nodes[nameOf(node)] {
		seen.with(e, cluster(plugin, []fwk.NodeInfo{node}))
	}
	e.Node = nameOf(node)
	setStatus(e, status)
	write(e)
}

func Shift(name string, plugin any, state fwk.CycleState, pod *v1.Pod, other fwk.PodInfo, node fwk.NodeInfo, change int) {
	lock.Lock()
	defer lock.Unlock()
	e, _ := begin("shift", name, plugin, state, pod)
	e.Node, e.Change = nameOf(node), change
	e.Other = podJSON(other.GetPod(), e.Node)
	write(e)
}

func PreScore(name string, plugin any, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo, objects []json.RawMessage, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e, seen := begin("preScore", name, plugin, state, pod)
	seen.with(e, objects)
	for _, node := range nodes {
		e.Nodes = append(e.Nodes, nameOf(node))
	}
	setStatus(e, status)
	write(e)
}

func Score(name string, plugin any, state fwk.CycleState, pod *v1.Pod, node fwk.NodeInfo, score int64, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e, seen := begin("score", name, plugin, state, pod)
	if !seen.nodes[nameOf(node)] {
		seen.with(e, cluster(plugin, []fwk.NodeInfo{node}))
	}
	e.Node, e.Score = nameOf(node), score
	setStatus(e, status)
	write(e)
}

func Normalise(name string, plugin any, state fwk.CycleState, pod *v1.Pod, scores fwk.NodeScoreList, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e, _ := begin("normalise", name, plugin, state, pod)
	e.Scores = map[string]int64{}
	for _, one := range scores {
		e.Scores[one.Name] = one.Score
	}
	setStatus(e, status)
	write(e)
}

// Hint notes a queueing hint: what happened, and whether the pod is worth another try.
func Hint(name, method string, plugin any, pod *v1.Pod, before, after any, hint fwk.QueueingHint, err error) {
	lock.Lock()
	defer lock.Unlock()
	e := &event{Event: "hint", Plugin: name, Method: method, Instance: of(plugin).id, Pod: podJSON(pod, ""), Objects: cluster(plugin, nil)}
	e.Before, e.After = anyObject(before), anyObject(after)
	e.Code = hint.String()
	if err != nil {
		e.Reasons = []string{err.Error()}
	}
	write(e)
}

// PreEnqueue notes whether a pod may enter the queue.
func PreEnqueue(name string, plugin any, pod *v1.Pod, status *fwk.Status) {
	lock.Lock()
	defer lock.Unlock()
	e := &event{Event: "preEnqueue", Plugin: name, Instance: of(plugin).id, Pod: podJSON(pod, "")}
	setStatus(e, status)
	write(e)
}

// anyObject is an object of an event; nil for none, a string for one of a kind that has no hints.
func anyObject(object any) json.RawMessage {
	if object == nil || reflect.ValueOf(object).Kind() == reflect.Pointer && reflect.ValueOf(object).IsNil() {
		return nil
	}
	switch o := object.(type) {
	case *v1.Node:
		return withKind(o, "v1", "Node")
	case *v1.Pod:
		return withKind(o, "v1", "Pod")
	case *v1.PersistentVolume:
		return withKind(o, "v1", "PersistentVolume")
	case *v1.PersistentVolumeClaim:
		return withKind(o, "v1", "PersistentVolumeClaim")
	case *storagev1.StorageClass:
		return withKind(o, "storage.k8s.io/v1", "StorageClass")
	case *storagev1.CSINode:
		return withKind(o, "storage.k8s.io/v1", "CSINode")
	case *storagev1.VolumeAttachment:
		return withKind(o, "storage.k8s.io/v1", "VolumeAttachment")
	}
	text, _ := json.Marshal(fmt.Sprintf("%T", object))
	return text
}

// Cluster is what the plugin can see.
func Cluster(plugin any, nodes []fwk.NodeInfo) []json.RawMessage {
	lock.Lock()
	defer lock.Unlock()
	return cluster(plugin, nodes)
}

func nameOf(node fwk.NodeInfo) string {
	if node == nil || node.Node() == nil || node.Node().Name == "" {
		return "unnamed"
	}
	return node.Node().Name
}

func withKind(object any, apiVersion, kind string) json.RawMessage {
	plain, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(plain, &fields); err != nil {
		panic(err)
	}
	fields["apiVersion"], _ = json.Marshal(apiVersion)
	fields["kind"], _ = json.Marshal(kind)
	made, _ := json.Marshal(fields)
	return made
}

func podJSON(pod *v1.Pod, node string) json.RawMessage {
	if pod == nil {
		return nil
	}
	if node != "" {
		pod = pod.DeepCopy()
		pod.Spec.NodeName = node
	}
	return withKind(pod, "v1", "Pod")
}

func cluster(plugin any, nodes []fwk.NodeInfo) (objects []json.RawMessage) {
	defer func() {
		if problem := recover(); problem != nil { // a nil interface in a fixture
			text, _ := json.Marshal(fmt.Sprint(problem))
			objects = append(objects, text)
		}
	}()
	seen := map[string]bool{}
	var nodeNames []string
	addNode := func(info fwk.NodeInfo) {
		name := nameOf(info)
		if seen["Node/"+name] {
			return
		}
		seen["Node/"+name] = true
		nodeNames = append(nodeNames, name)
		node := &v1.Node{}
		if info.Node() != nil {
			node = info.Node().DeepCopy()
		}
		node.Name = name
		objects = append(objects, withKind(node, "v1", "Node"))
		for _, pod := range info.GetPods() {
			objects = append(objects, podJSON(pod.GetPod(), name))
		}
	}
	add := func(kind, apiVersion, key string, object any) {
		if !seen[kind+"/"+key] {
			seen[kind+"/"+key] = true
			objects = append(objects, withKind(object, apiVersion, kind))
		}
	}
	var handles []fwk.Handle
	var shared []fwk.SharedLister
	var managers []fwk.CSIManager
	var visit func(value any)
	visit = func(value any) {
		switch x := value.(type) {
		case fwk.Handle:
			handles = append(handles, x)
			return
		case fwk.SharedLister:
			shared = append(shared, x)
			return
		case corelisters.NamespaceLister:
			listed, _ := x.List(labels.Everything())
			for _, o := range listed {
				add("Namespace", "v1", o.Name, o)
			}
			return
		case corelisters.ServiceLister:
			listed, _ := x.List(labels.Everything())
			for _, o := range listed {
				add("Service", "v1", o.Namespace+"/"+o.Name, o)
			}
			return
		case appslisters.ReplicaSetLister:
			listed, _ := x.List(labels.Everything())
			for _, o := range listed {
				add("ReplicaSet", "apps/v1", o.Namespace+"/"+o.Name, o)
			}
			return
		case appslisters.StatefulSetLister:
			listed, _ := x.List(labels.Everything())
			for _, o := range listed {
				add("StatefulSet", "apps/v1", o.Namespace+"/"+o.Name, o)
			}
			return
		case corelisters.ReplicationControllerLister:
			listed, _ := x.List(labels.Everything())
			for _, o := range listed {
				add("ReplicationController", "v1", o.Namespace+"/"+o.Name, o)
			}
			return
		case corelisters.PersistentVolumeLister:
			if listed, err := x.List(labels.Everything()); err == nil {
				for _, o := range listed {
					add("PersistentVolume", "v1", o.Name, o)
				}
				return
			}
		case corelisters.PersistentVolumeClaimLister:
			if listed, err := x.List(labels.Everything()); err == nil {
				for _, o := range listed {
					add("PersistentVolumeClaim", "v1", o.Namespace+"/"+o.Name, o)
				}
				return
			}
		case storagelisters.StorageClassLister:
			if listed, err := x.List(labels.Everything()); err == nil {
				for _, o := range listed {
					add("StorageClass", "storage.k8s.io/v1", o.Name, o)
				}
				return
			}
		case storagelisters.VolumeAttachmentLister:
			if listed, err := x.List(labels.Everything()); err == nil {
				for _, o := range listed {
					add("VolumeAttachment", "storage.k8s.io/v1", o.Name, o)
				}
				return
			}
		case storagelisters.CSIDriverLister:
			if listed, err := x.List(labels.Everything()); err == nil {
				for _, o := range listed {
					add("CSIDriver", "storage.k8s.io/v1", o.Name, o)
				}
				return
			}
		case cache.Indexer:
			for _, item := range x.List() {
				if o, ok := item.(*storagev1.VolumeAttachment); ok {
					add("VolumeAttachment", "storage.k8s.io/v1", o.Name, o)
				}
			}
			return
		case fwk.CSIManager:
			managers = append(managers, x)
			return
		}
		// The fakes of tests are slices of objects, or hold one.
		slice := reflect.ValueOf(value)
		for slice.Kind() == reflect.Pointer {
			slice = slice.Elem()
		}
		elements := []any{}
		if slice.Kind() == reflect.Slice {
			for i := 0; i < slice.Len(); i++ {
				elements = append(elements, slice.Index(i).Interface())
			}
		} else if slice.Kind() == reflect.Struct {
			elements = append(elements, slice.Interface())
		}
		for _, element := range elements {
			switch o := element.(type) {
			case v1.PersistentVolume:
				add("PersistentVolume", "v1", o.Name, o)
			case v1.PersistentVolumeClaim:
				add("PersistentVolumeClaim", "v1", o.Namespace+"/"+o.Name, o)
			case storagev1.StorageClass:
				add("StorageClass", "storage.k8s.io/v1", o.Name, o)
			case storagev1.CSINode:
				add("CSINode", "storage.k8s.io/v1", o.Name, o)
			case storagev1.CSIDriver:
				add("CSIDriver", "storage.k8s.io/v1", o.Name, o)
			case appsv1.ReplicaSet:
				add("ReplicaSet", "apps/v1", o.Namespace+"/"+o.Name, o)
			}
		}
	}
	receiver := reflect.ValueOf(plugin).Elem()
	for i := 0; receiver.Kind() == reflect.Struct && i < receiver.NumField(); i++ {
		field := receiver.Field(i)
		if field.Kind() != reflect.Interface {
			continue
		}
		value := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
		if !value.IsNil() {
			visit(value.Interface())
		}
	}
	if made := of(plugin); made.handle != nil {
		handles = append(handles, made.handle)
	}
	for _, handle := range handles {
		if lister := handle.SnapshotSharedLister(); lister != nil {
			shared = append(shared, lister)
		}
	}
	for _, lister := range shared {
		if reflect.ValueOf(lister).Kind() == reflect.Pointer && reflect.ValueOf(lister).IsNil() {
			continue
		}
		if infos, err := lister.NodeInfos().List(); err == nil {
			for _, info := range infos {
				addNode(info)
			}
		}
	}
	for _, info := range nodes {
		if info != nil {
			addNode(info)
		}
	}
	for _, manager := range managers {
		for _, name := range nodeNames { // fakes can get, but not list
			if o, err := manager.CSINodes().Get(name); err == nil && o != nil {
				add("CSINode", "storage.k8s.io/v1", o.Name, o)
			}
		}
	}
	for _, handle := range handles {
		factory := handle.SharedInformerFactory()
		if factory == nil || reflect.ValueOf(factory).IsNil() {
			continue
		}
		visit(factory.Core().V1().Namespaces().Lister())
		visit(factory.Core().V1().Services().Lister())
		visit(factory.Core().V1().ReplicationControllers().Lister())
		visit(factory.Apps().V1().ReplicaSets().Lister())
		visit(factory.Apps().V1().StatefulSets().Lister())
		visit(factory.Core().V1().PersistentVolumes().Lister())
		visit(factory.Core().V1().PersistentVolumeClaims().Lister())
		visit(factory.Storage().V1().StorageClasses().Lister())
		visit(factory.Storage().V1().VolumeAttachments().Lister())
		visit(factory.Storage().V1().CSIDrivers().Lister())
		if listed, err := factory.Storage().V1().CSINodes().Lister().List(labels.Everything()); err == nil {
			for _, o := range listed {
				add("CSINode", "storage.k8s.io/v1", o.Name, o)
			}
		}
		if listed, err := factory.Storage().V1().CSIStorageCapacities().Lister().List(labels.Everything()); err == nil {
			for _, o := range listed {
				add("CSIStorageCapacity", "storage.k8s.io/v1", o.Namespace+"/"+o.Name, o)
			}
		}
	}
	return objects
}
