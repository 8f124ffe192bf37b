#include "trainer/workers/replicas.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

constexpr int kTryAgain = 75;  // EX_TEMPFAIL

}  // namespace

void broadcast_tensor(Communicator& workers, const Tensor& flat) {
  std::vector<real> values = flat.to_host();
  workers.broadcast(std::as_writable_bytes(std::span(values)));
  flat.device().backend().upload(values.data(), flat.as_reals(), values.size() * sizeof(real));
}

void broadcast_parameters(Communicator& workers, ParameterStore& parameters) {
  broadcast_tensor(workers, parameters.values());
  broadcast_tensor(workers, parameters.statistic_values());
  parameters.refresh_weight_copy();
}

void compare_replicas(Communicator& workers, const std::string& digest, int64_t updates) {
  if (workers.size() == 1) return;
  const std::vector<std::string> digests = gather_texts(workers, digest);
  std::map<std::string, size_t> votes;
  for (const std::string& one : digests) ++votes[one];
  if (votes.size() == 1) return;
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto most = std::max_element(votes.begin(), votes.end(), fewer);
  const bool majority = 2 * most->second > digests.size();
  const std::vector<std::string> names = worker_names(workers);
  std::string wrong;
  for (size_t rank = 0; rank < digests.size(); ++rank)
    if (!majority || digests[rank] != most->first) wrong += (wrong.empty() ? "" : ", ") + names[rank];
  throw SharedError(join("after update ", updates, " the weights of the workers differ: ", wrong,
                         majority ? " disagrees with the others" : " disagree",
                         "; --resume goes on from the last checkpoint, which was compared"),
                    kTryAgain);
}

}  // namespace crescendo
