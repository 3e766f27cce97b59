// The real API Priority and Fairness on a clock of its own: the controller with its informers, the filter, the work estimator. One JSON case a line
// comes in (environment variable CASES names the file), one JSON answer a line goes out (ANSWERS).
//
// Time is that of testing/synctest: it advances when every goroutine of the case waits, so that what happens when is exact to the nanosecond.
package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/storage"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"
	utilflowcontrol "k8s.io/apiserver/pkg/util/flowcontrol"
	"k8s.io/apiserver/pkg/util/flowcontrol/fairqueuing"
	fcmetrics "k8s.io/apiserver/pkg/util/flowcontrol/metrics"
	fcrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"
	"k8s.io/apiserver/pkg/util/shufflesharding"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/component-base/metrics/legacyregistry"
)

type request struct {
	At          int64             `json:"at"` // ns
	User        string            `json:"user"`
	Groups      []string          `json:"groups"`
	Verb        string            `json:"verb"`
	Group       string            `json:"group"`
	Resource    string            `json:"resource"`
	Subresource string            `json:"subresource"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Path        string            `json:"path"`
	Query       map[string]string `json:"query"`
	Watchers    int               `json:"watchers"`
	Objects     *int64            `json:"objects"`
	Bytes       int64             `json:"bytes"`
	Takes       int64             `json:"takes"`   // ns
	Timeout     int64             `json:"timeout"` // ns
	Cancel      int64             `json:"cancel"`  // ns after it came; 0: never
}

type testCase struct {
	Limit    int                                        `json:"limit"`
	Levels   []flowcontrolv1.PriorityLevelConfiguration `json:"levels"`
	Schemas  []flowcontrolv1.FlowSchema                 `json:"schemas"`
	Requests []request                                  `json:"requests"`
	Looks    []int64                                    `json:"looks"`
	Hands    []struct {
		Deck int    `json:"deck"`
		Hand int    `json:"hand"`
		Hash string `json:"hash"`
	} `json:"hands"`
}

type outcome struct {
	Schema     string  `json:"schema"`
	Level      string  `json:"level"`
	Seats      []int64 `json:"seats"` // initial, final, additional latency
	Started    int64   `json:"started"`
	Refused    int64   `json:"refused"`
	RetryAfter int     `json:"retryAfter"`
}

type answer struct {
	Outcomes []outcome        `json:"outcomes"`
	Looks    []map[string]int `json:"looks"`
	Hands    [][]int          `json:"hands"`
}

// observed tells which schema and level the filter's classification chose: the handler does not learn it, the controller's note does.
type observed struct {
	utilflowcontrol.Interface
	mu   sync.Mutex
	note map[*apirequest.RequestInfo]*outcome
}

func (o *observed) Handle(ctx context.Context, digest utilflowcontrol.RequestDigest,
	noteFn func(fs *flowcontrolv1.FlowSchema, pl *flowcontrolv1.PriorityLevelConfiguration, flowDistinguisher string),
	workEstimator func() fcrequest.WorkEstimate, queueNoteFn fairqueuing.QueueNoteFn, execFn func()) {
	o.mu.Lock()
	out := o.note[digest.RequestInfo]
	o.mu.Unlock()
	o.Interface.Handle(ctx, digest, func(fs *flowcontrolv1.FlowSchema, pl *flowcontrolv1.PriorityLevelConfiguration, d string) {
		out.Schema, out.Level = fs.Name, pl.Name
		noteFn(fs, pl, d)
	}, func() fcrequest.WorkEstimate {
		w := workEstimator()
		out.Seats = []int64{int64(w.InitialSeats), int64(w.FinalSeats), int64(w.AdditionalLatency)}
		return w
	}, queueNoteFn, execFn)
}

type requestKey struct{}

// supportsAll is an etcd of a version that Kubernetes 1.36 comes with: consistent lists are served from the cache.
type supportsAll struct {
	etcdfeature.FeatureSupportChecker
}

func (supportsAll) Supports(storage.Feature) bool { return true }

func currentLimits() map[string]int {
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		panic(err)
	}
	result := map[string]int{}
	for _, family := range families {
		if family.GetName() != "apiserver_flowcontrol_current_limit_seats" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "priority_level" {
					result[label.GetValue()] = int(metric.GetGauge().GetValue())
				}
			}
		}
	}
	return result
}

func run(t *testing.T, c testCase) answer {
	var result answer
	for _, h := range c.Hands {
		dealer, err := shufflesharding.NewDealer(h.Deck, h.Hand)
		if err != nil {
			result.Hands = append(result.Hands, nil)
			continue
		}
		hash, err := strconv.ParseUint(h.Hash, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		result.Hands = append(result.Hands, dealer.DealIntoHand(hash, nil))
	}
	result.Outcomes = make([]outcome, len(c.Requests))
	result.Looks = make([]map[string]int, len(c.Looks))
	synctest.Test(t, func(t *testing.T) {
		// The user's objects replace those of the same name.
		levels := map[string]flowcontrolv1.PriorityLevelConfiguration{}
		for _, list := range [][]*flowcontrolv1.PriorityLevelConfiguration{bootstrap.MandatoryPriorityLevelConfigurations, bootstrap.SuggestedPriorityLevelConfigurations} {
			for _, level := range list {
				levels[level.Name] = *level
			}
		}
		for _, level := range c.Levels {
			levels[level.Name] = level
		}
		schemas := map[string]flowcontrolv1.FlowSchema{}
		for _, list := range [][]*flowcontrolv1.FlowSchema{bootstrap.MandatoryFlowSchemas, bootstrap.SuggestedFlowSchemas} {
			for _, schema := range list {
				schemas[schema.Name] = *schema
			}
		}
		for _, schema := range c.Schemas {
			schemas[schema.Name] = schema
		}
		var objects []runtime.Object
		for name := range levels {
			level := levels[name]
			objects = append(objects, &level)
		}
		for name := range schemas {
			schema := schemas[name]
			// As the controller would write it: it has nothing to write then.
			ref := schema.Spec.PriorityLevelConfiguration.Name
			condition := flowcontrolv1.FlowSchemaCondition{Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, Reason: "Found",
				Message: "This FlowSchema references the PriorityLevelConfiguration object named \"" + ref + "\" and it exists"}
			if _, ok := levels[ref]; !ok {
				condition.Status, condition.Reason = flowcontrolv1.ConditionTrue, "NotFound"
				condition.Message = "This FlowSchema references the PriorityLevelConfiguration object named \"" + ref + "\" but there is no such object"
			}
			schema.Status.Conditions = []flowcontrolv1.FlowSchemaCondition{condition}
			objects = append(objects, &schema)
		}
		client := fake.NewSimpleClientset(objects...)
		factory := informers.NewSharedInformerFactory(client, 0)
		controller := utilflowcontrol.New(factory, client.FlowcontrolV1(), c.Limit)
		ctx, stop := context.WithCancel(context.Background())
		factory.Start(ctx.Done())
		factory.WaitForCacheSync(ctx.Done())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		go controller.Run(ctx.Done())
		synctest.Wait()
		begin := time.Now()

		watching := &observed{Interface: controller, note: map[*apirequest.RequestInfo]*outcome{}}
		var mu sync.Mutex
		of := map[string]*request{}
		counts := func(key string) (storage.Stats, error) {
			mu.Lock()
			defer mu.Unlock()
			r := of[key]
			if r == nil || r.Objects == nil {
				return storage.Stats{}, fcrequest.ObjectCountNotFoundErr
			}
			return storage.Stats{ObjectCount: *r.Objects, EstimatedAverageObjectSizeBytes: r.Bytes}, nil
		}
		watchers := func(info *apirequest.RequestInfo) int {
			n, _ := strconv.Atoi(info.APIPrefix) // a place of this test's own
			return n
		}
		estimator := fcrequest.NewWorkEstimator(counts, watchers, fcrequest.DefaultWorkEstimatorConfig(), controller.GetMaxSeats)
		handler := filters.WithPriorityAndFairness(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i := r.Context().Value(requestKey{}).(int)
			result.Outcomes[i].Started = int64(time.Since(begin))
			time.Sleep(time.Duration(c.Requests[i].Takes))
		}), func(*http.Request, *apirequest.RequestInfo) bool { return false }, watching, estimator, 15*time.Second)

		var all sync.WaitGroup
		for i := range c.Requests {
			all.Add(1)
			go func() {
				defer all.Done()
				r := &c.Requests[i]
				out := &result.Outcomes[i]
				out.Started, out.Refused = -1, -1
				time.Sleep(time.Duration(r.At))
				query := url.Values{}
				for key, value := range r.Query {
					query.Set(key, value)
				}
				info := &apirequest.RequestInfo{IsResourceRequest: r.Path == "", Verb: r.Verb, APIPrefix: strconv.Itoa(r.Watchers), APIGroup: r.Group,
					Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace, Name: r.Name, Path: r.Path}
				// The estimator knows a resource by its name and group: one of its own for each request that counts objects.
				if r.Objects != nil {
					mu.Lock()
					key := r.Resource
					if r.Group != "" {
						key += "." + r.Group
					}
					of[key] = r
					mu.Unlock()
				}
				watching.mu.Lock()
				watching.note[info] = out
				watching.mu.Unlock()
				requestCtx, cancel := context.WithTimeout(context.WithValue(context.Background(), requestKey{}, i), time.Duration(r.Timeout))
				defer cancel()
				if r.Cancel > 0 {
					timer := time.AfterFunc(time.Duration(r.Cancel), cancel)
					defer timer.Stop()
				}
				requestCtx = apirequest.WithReceivedTimestamp(requestCtx, time.Now())
				requestCtx = apirequest.WithRequestInfo(requestCtx, info)
				requestCtx = apirequest.WithUser(requestCtx, &user.DefaultInfo{Name: r.User, Groups: r.Groups})
				recorder := httptest.NewRecorder()
				req := httptest.NewRequest("GET", "/?"+query.Encode(), nil).WithContext(requestCtx)
				handler.ServeHTTP(recorder, req)
				if recorder.Code == http.StatusTooManyRequests {
					out.Refused = int64(time.Since(begin))
					out.RetryAfter, _ = strconv.Atoi(recorder.Header().Get("Retry-After"))
				}
			}()
		}
		for i, look := range c.Looks {
			all.Add(1)
			go func() {
				defer all.Done()
				time.Sleep(time.Duration(look))
				result.Looks[i] = map[string]int{}
				for name, limit := range currentLimits() {
					if _, ok := levels[name]; ok {
						result.Looks[i][name] = limit
					}
				}
			}()
		}
		all.Wait()
		time.Sleep(time.Minute) // seats that are kept for watchers
		stop()
		factory.Shutdown()
		synctest.Wait()
	})
	return result
}

func TestCases(t *testing.T) {
	fcmetrics.Register()
	etcdfeature.DefaultFeatureSupportChecker = supportsAll{}
	in, err := os.Open(os.Getenv("CASES"))
	if err != nil {
		t.Skip("CASES names no file")
	}
	defer in.Close()
	out, err := os.Create(os.Getenv("ANSWERS"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 1<<30)
	for scanner.Scan() {
		if strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		var c testCase
		if err := json.Unmarshal(scanner.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		sort.SliceStable(c.Requests, func(i, j int) bool { return c.Requests[i].At < c.Requests[j].At })
		line, err := json.Marshal(run(t, c))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
}
