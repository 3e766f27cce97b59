package cache

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (nt *nodeTree) write(op string, node *v1.Node, ok bool) {
	if !machinery.On("cache") {
		return
	}
	list, err := nt.list()
	machinery.Write("nodeTree", map[string]any{"tree": machinery.ID(nt), "op": op, "name": node.Name, "labels": node.Labels, "ok": ok && err == nil, "list": list})
}

func (nt *nodeTree) addNode(logger klog.Logger, n *v1.Node) {
	before := nt.numNodes
	nt.upstreamAddNode(logger, n)
	nt.write("add", n, nt.numNodes != before)
}

func (nt *nodeTree) removeNode(logger klog.Logger, n *v1.Node) error {
	err := nt.upstreamRemoveNode(logger, n)
	if n != nil {
		nt.write("remove", n, err == nil)
	}
	return err
}
