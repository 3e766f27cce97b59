package queue

import (
	"time"

	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

func (bq *backoffQueue) calculateBackoffDuration(count int) time.Duration {
	result := bq.upstreamCalculateBackoffDuration(count)
	machinery.Write("backoff", map[string]any{"initial": bq.podInitialBackoff, "max": bq.podMaxBackoff, "count": count, "result": result})
	return result
}
