package helper

import (
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func DefaultNormalizeScore(maxPriority int64, reverse bool, scores fwk.NodeScoreList) *fwk.Status {
	if !machinery.On("helper") {
		return upstreamDefaultNormalizeScore(maxPriority, reverse, scores)
	}
	before, after := []int64{}, []int64{}
	for _, one := range scores {
		before = append(before, one.Score)
	}
	status := upstreamDefaultNormalizeScore(maxPriority, reverse, scores)
	for _, one := range scores {
		after = append(after, one.Score)
	}
	machinery.Write("normalise", map[string]any{"max": maxPriority, "reverse": reverse, "before": before, "after": after})
	return status
}
