// Mode stateless: each member for itself.
#include "sim/models/services/mode.hpp"

namespace sim::services {

namespace {

class Stateless final : public ModeModel {
 public:
  using ModeModel::ModeModel;
  void process_changed(std::size_t, k8s::ProcessState) override { context_.changed(); }
  bool answers(std::size_t member) const override {
    return context_.config.host_datapath ? context_.member(member).is_set_up : context_.member(member).process.state == k8s::ProcessState::kUp;
  }
  std::string member_state(std::size_t member) const override { return answers(member) ? "Serving" : "Down"; }
};

}  // namespace

std::unique_ptr<ModeModel> make_stateless(ModeContext context) { return std::make_unique<Stateless>(std::move(context)); }

}  // namespace sim::services
