#include "timing_backend.h"

#include "program.h"
#include "sizes_text.h"

namespace crescendo::bench {

template <class Run>
void TimingBackend::time(const KernelName& name, const Work& work, const Run& run) {
  const Stopwatch watch;
  run();
  const double seconds = watch.seconds();
  KernelTime& time = times_[name];
  ++time.calls;
  time.seconds += seconds;
  time.multiply_adds += static_cast<double>(work.multiply_adds);
  time.bytes += static_cast<double>(work.bytes(capabilities().activation_bytes));
}

void TimingBackend::run(const KernelCall& call) {
  time({std::string(name_of(call)), sizes_text(call)}, work(call), [&] { inner().run(call); });
}

void TimingBackend::upload_activations(int64_t n, const float* host, activation* to) {
  time({"upload_activations", sizes_text(n)}, work_of_transfer(n),
       [&] { inner().upload_activations(n, host, to); });
}

void TimingBackend::download_activations(int64_t n, const activation* from, real* host) {
  time({"download_activations", sizes_text(n)}, work_of_transfer(n),
       [&] { inner().download_activations(n, from, host); });
}

}  // namespace crescendo::bench
