package validation

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	configv1 "k8s.io/kube-scheduler/config/v1"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/machinery"
)

// write notes the object as a user would have written it, and what is wrong with it.
func write(kind string, object runtime.Object, err error) {
	fields := map[string]any{"object": kind, "error": ""}
	if err != nil {
		fields["error"] = err.Error()
	}
	if versioned, problem := scheme.Scheme.ConvertToVersion(object.DeepCopyObject(), configv1.SchemeGroupVersion); problem != nil {
		fields["problem"] = problem.Error()
	} else if text, problem := json.Marshal(versioned); problem != nil {
		fields["problem"] = problem.Error()
	} else {
		fields["json"] = json.RawMessage(text)
	}
	machinery.Write("validate", fields)
}

func ValidateKubeSchedulerConfiguration(cc *config.KubeSchedulerConfiguration) utilerrors.Aggregate {
	result := upstreamValidateKubeSchedulerConfiguration(cc)
	if result == nil {
		write("KubeSchedulerConfiguration", cc, nil)
	} else {
		write("KubeSchedulerConfiguration", cc, result)
	}
	return result
}

func ValidateDefaultPreemptionArgs(path *field.Path, args *config.DefaultPreemptionArgs) error {
	err := upstreamValidateDefaultPreemptionArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("DefaultPreemptionArgs", args, err)
	}
	return err
}

func ValidateInterPodAffinityArgs(path *field.Path, args *config.InterPodAffinityArgs) error {
	err := upstreamValidateInterPodAffinityArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("InterPodAffinityArgs", args, err)
	}
	return err
}

func ValidatePodTopologySpreadArgs(path *field.Path, args *config.PodTopologySpreadArgs) error {
	err := upstreamValidatePodTopologySpreadArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("PodTopologySpreadArgs", args, err)
	}
	return err
}

func ValidateNodeResourcesBalancedAllocationArgs(path *field.Path, args *config.NodeResourcesBalancedAllocationArgs) error {
	err := upstreamValidateNodeResourcesBalancedAllocationArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("NodeResourcesBalancedAllocationArgs", args, err)
	}
	return err
}

func ValidateNodeAffinityArgs(path *field.Path, args *config.NodeAffinityArgs) error {
	err := upstreamValidateNodeAffinityArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("NodeAffinityArgs", args, err)
	}
	return err
}

func ValidateVolumeBindingArgs(path *field.Path, args *config.VolumeBindingArgs) error {
	err := upstreamValidateVolumeBindingArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("VolumeBindingArgs", args, err)
	}
	return err
}

func ValidateNodeResourcesFitArgs(path *field.Path, args *config.NodeResourcesFitArgs) error {
	err := upstreamValidateNodeResourcesFitArgs(path, args)
	if path == nil { // not as part of a configuration, which is noted as a whole
		write("NodeResourcesFitArgs", args, err)
	}
	return err
}
