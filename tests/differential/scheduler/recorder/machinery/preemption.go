package preemption

import (
	"k8s.io/klog/v2"
	extenderv1 "k8s.io/kube-scheduler/extender/v1"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func pickOneNodeForPreemption(logger klog.Logger, nodesToVictims map[string]*extenderv1.Victims, scoreFuncs []func(node string) int64) string {
	result := upstreamPickOneNodeForPreemption(logger, nodesToVictims, scoreFuncs)
	starts := map[string][]int64{} // in nanoseconds, which JSON leaves out
	for node, of := range nodesToVictims {
		for _, pod := range of.Pods {
			start := int64(-1)
			if pod.Status.StartTime != nil {
				start = pod.Status.StartTime.UnixNano()
			}
			starts[node] = append(starts[node], start)
		}
	}
	machinery.Write("pick", map[string]any{"victims": nodesToVictims, "starts": starts, "ordered": len(scoreFuncs) != 0, "result": result})
	return result
}
