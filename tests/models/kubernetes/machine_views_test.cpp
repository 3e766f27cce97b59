// What `kubectl top`, free and df show of machines.
#include <gtest/gtest.h>

#include "sim/models/kubernetes/views/machines.hpp"
#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;
using test::kGiB;
using test::kMiB;
using test::KubeletWorld;

struct MachineViews : ::testing::Test {
  MachineViews() {
    w.images.default_bytes = 0;
    w.config.disk.used = 30 * kGiB;
    host::HostSpec spec = w.host_spec("w2");
    w2 = w.add_node(spec);
    spec.name = "w1";
    spec.image_disk_bytes = 50 * kGiB;
    w1 = w.add_node(spec);
    w.start();
    w.create_on(w1, w.pod("web", [](PodSpec& pod) {
      pod.containers[0].requests.cpu_milli = 1500;
      pod.containers[0].requests.memory = 2 * kGiB;
    }));
    w.run_to(1min);
  }
  std::string show(std::string_view words, const std::string& ns = {}) {
    const auto table = views::machine_view(w.api, *w.kubelets, words, ns);
    return table ? table->text() : std::string("none");
  }
  KubeletWorld w;
  Ref<Node> w1;
  Ref<Node> w2;
};

TEST_F(MachineViews, Top) {
  EXPECT_EQ(show("top nodes"),
            "NAME   CPU(cores)   CPU(%)   MEMORY(bytes)   MEMORY(%)\n"
            "w1     1500m        37%      2048Mi          25%\n"
            "w2     0m           0%       0Mi             0%\n");
  EXPECT_EQ(show("top pods"),
            "NAMESPACE   NAME   CPU(cores)   MEMORY(bytes)\n"
            "default     web    1500m        2048Mi\n");
  EXPECT_EQ(show("top pods", "other"), "");
  EXPECT_EQ(show("top of it"), "none");
}

TEST_F(MachineViews, FreeAndDf) {
  const std::string text = show("free");
  EXPECT_NE(text.find("w1     8192Mi   2"), std::string::npos) << text;
  EXPECT_NE(text.find("DYING CGROUPS"), std::string::npos);
  EXPECT_EQ(show("df"),
            "NODE   FILESYSTEM   SIZE   USED   AVAIL   USE%   IUSE%   IMAGES   PODS   ENDED   OTHER\n"
            "w1     nodefs       200G   30G    170G    15%    5%      0K       0K     0K      30G\n"
            "w1     imagefs      50G    0K     50G     0%     0%      -        -      -       -\n"
            "w2     nodefs       200G   30G    170G    15%    5%      0K       0K     0K      30G\n");
}

TEST_F(MachineViews, AMachineThatIsDownHasNoFigures) {
  w.hosts.power_off(w.host_ids[1]);
  EXPECT_NE(show("top nodes").find("w1     <unknown>"), std::string::npos);
  EXPECT_NE(show("free").find("w1     down"), std::string::npos);
  EXPECT_EQ(show("top pods"), "");
}

}  // namespace
}  // namespace sim::k8s
