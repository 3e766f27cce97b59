package queuesort

import (
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (pl *PrioritySort) Less(pInfo1, pInfo2 fwk.QueuedPodInfo) bool {
	result := pl.upstreamLess(pInfo1, pInfo2)
	if !machinery.On("queuesort") {
		return result
	}
	side := func(info fwk.QueuedPodInfo) map[string]any {
		return map[string]any{"priority": corev1helpers.PodPriority(info.GetPodInfo().GetPod()), "timestamp": info.GetTimestamp().UnixNano()}
	}
	machinery.Write("less", map[string]any{"a": side(pInfo1), "b": side(pInfo2), "result": result})
	return result
}
