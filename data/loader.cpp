#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/huge_pages.h"
#include "data/sampler.h"

namespace crescendo {
namespace {

constexpr size_t kRangesAhead = 3;  // ranges that are being loaded or wait for next()

// Returns how many images a worker claims at a time: 32 of CIFAR's, fewer if they are larger. So a range is
// shared among the workers, and they stop promptly.
int64_t images_at_once(const ImageSize& size) {
  constexpr int64_t kElements = 32 * 32 * 32 * 3;
  return std::clamp<int64_t>(kElements / std::max<int64_t>(size.elements(), 1), 1, 32);
}

static_assert(sizeof(float) == sizeof(int32_t));  // labels follow the images without padding

// A range that is being loaded. Workers claim images in order. Each writes only the images it has claimed.
struct Job {
  LoadedSamples samples;
  std::vector<EpochImage> order;  // [count]
  int64_t claimed = 0, finished = 0;
  std::exception_ptr error;

  bool all_claimed() const { return claimed == samples.range.count; }
  bool complete() const { return finished == samples.range.count; }
};

}  // namespace

std::shared_ptr<void> plain_memory(size_t bytes) {
  constexpr std::align_val_t kAlignment{64};
  std::shared_ptr<void> block(::operator new(bytes, kAlignment),
                              [](void* memory) { ::operator delete(memory, kAlignment); });
  prefer_huge_pages(block.get(), bytes);
  return block;
}

// The mutex guards every member below it, except pixels and labels of images that a worker has claimed.
struct Loader::State {
  State(std::shared_ptr<const Dataset> set, const LoaderOptions& loader_options,
        std::function<std::optional<SampleRange>()> ranges)
      : dataset(std::move(set)),
        options(loader_options),
        next_range(std::move(ranges)),
        sampler(dataset->size(), options.shuffle, options.seed) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  LoadedSamples room_for(const SampleRange& range);
  void open_job();
  Job* claimable();
  void load(Job& job, int64_t first, int64_t last) const;
  void work();
  std::optional<LoadedSamples> load_now();
  std::optional<LoadedSamples> take();

  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;
  std::vector<std::thread> workers;

  std::mutex mutex;
  std::condition_variable work_to_do, job_finished;
  std::function<std::optional<SampleRange>()> next_range;
  Sampler sampler;
  std::deque<Job> jobs;              // in order; a deque, since workers hold pointers to its elements
  std::vector<LoadedSamples> spare;  // memory that was given back
  size_t largest_bytes = 0;          // size of the largest range so far
  bool exhausted = false, stopping = false;
};

Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  work_to_do.notify_all();
  for (std::thread& worker : workers) worker.join();
}

// Returns memory for a range: memory that was given back, if it is large enough.
LoadedSamples Loader::State::room_for(const SampleRange& range) {
  const auto count = static_cast<size_t>(range.count);
  const size_t elements = count * static_cast<size_t>(dataset->image_size().elements());
  const size_t bytes = (elements + count) * sizeof(float);
  largest_bytes = std::max(largest_bytes, bytes);
  LoadedSamples room;
  if (!spare.empty()) {
    room = std::move(spare.back());
    spare.pop_back();
  }
  if (room.capacity < bytes) {
    room.memory = options.allocate(largest_bytes);
    room.capacity = largest_bytes;
  }
  auto* const images = static_cast<float*>(room.memory.get());
  room.range = range;
  room.images = {images, elements};
  room.labels = {reinterpret_cast<int32_t*>(images + elements), count};
  return room;
}

// Adds a job for the next range, or a job with the error that next_range threw. Notes the end of the ranges.
void Loader::State::open_job() {
  Job job;
  try {
    const std::optional<SampleRange> range = next_range();
    exhausted = !range;
    if (!range) return;
    job.samples = room_for(*range);
    job.order.reserve(static_cast<size_t>(range->count));
    for (int64_t i = 0; i < range->count; ++i) job.order.push_back(sampler.at(range->first + i));
  } catch (...) {
    exhausted = true;
    job = {};
    job.error = std::current_exception();
  }
  jobs.push_back(std::move(job));
}

void Loader::State::load(Job& job, int64_t first, int64_t last) const {
  const int64_t elements = dataset->image_size().elements();
  for (int64_t i = first; i < last; ++i) {
    const EpochImage& image = job.order[static_cast<size_t>(i)];
    job.samples.labels[static_cast<size_t>(i)] =
        dataset->sample(image.index, {options.seed, image.epoch}, job.samples.images.data() + i * elements);
  }
}

std::optional<LoadedSamples> Loader::State::load_now() {
  if (jobs.empty() && !exhausted) open_job();
  if (jobs.empty()) return std::nullopt;
  Job& job = jobs.front();
  if (job.error) std::rethrow_exception(job.error);
  load(job, 0, job.samples.range.count);
  LoadedSamples samples = std::move(job.samples);
  jobs.pop_front();
  return samples;
}

// Returns a job with unclaimed images, and opens one if there is none and kRangesAhead allows it. Null if
// none.
Job* Loader::State::claimable() {
  for (Job& job : jobs)
    if (!job.all_claimed()) return &job;
  if (exhausted || jobs.size() >= kRangesAhead) return nullptr;
  open_job();
  job_finished.notify_all();  // the end, an error or an empty range may let next() return at once
  return claimable();
}

void Loader::State::work() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    Job* job = claimable();
    if (job == nullptr) {
      work_to_do.wait(lock);
      continue;
    }
    const int64_t first = job->claimed;
    const int64_t last = std::min(first + images_at_once(dataset->image_size()), job->samples.range.count);
    job->claimed = last;
    lock.unlock();
    std::exception_ptr error;
    try {
      load(*job, first, last);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !job->error) job->error = error;
    job->finished += last - first;
    if (job->complete()) job_finished.notify_all();
  }
}

std::optional<LoadedSamples> Loader::State::take() {
  std::unique_lock lock(mutex);
  job_finished.wait(lock, [&] { return jobs.empty() ? exhausted : jobs.front().complete(); });
  if (jobs.empty()) return std::nullopt;
  // The job stays, so that every further call throws too.
  if (jobs.front().error) std::rethrow_exception(jobs.front().error);
  LoadedSamples samples = std::move(jobs.front().samples);
  jobs.pop_front();
  work_to_do.notify_all();
  return samples;
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options,
               std::function<std::optional<SampleRange>()> next_range) {
  require(dataset->size() > 0, "loader: the data set is empty");
  require(options.workers >= 0, "loader: ", options.workers, " workers, expected 0 or more");
  state_ = std::make_unique<State>(std::move(dataset), options, std::move(next_range));
  for (int i = 0; i < options.workers; ++i)
    state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() = default;

std::optional<LoadedSamples> Loader::next() {
  return state_->workers.empty() ? state_->load_now() : state_->take();
}

void Loader::give_back(LoadedSamples samples) {
  const std::lock_guard lock(state_->mutex);
  state_->spare.push_back(std::move(samples));
}

}  // namespace crescendo
