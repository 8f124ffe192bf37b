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

// Returns how many images a worker claims at a time: 32 of CIFAR's, fewer if they are larger. So a chunk is
// shared among the workers, and they stop promptly.
int64_t images_at_once(const ImageSize& size) {
  constexpr int64_t kElements = 32 * 32 * 32 * 3;
  return std::clamp<int64_t>(kElements / std::max<int64_t>(size.elements(), 1), 1, 32);
}

static_assert(sizeof(float) == sizeof(int32_t));  // labels follow the images without padding

// A chunk that is being loaded. Workers claim images in order. Each writes only the images it has claimed.
struct Job {
  LoadedSamples samples;
  std::vector<EpochImage> order;  // [count]
  int64_t claimed = 0, finished = 0;
  std::exception_ptr error;

  bool all_claimed() const { return claimed == samples.range.count; }
  bool complete() const { return finished == samples.range.count; }
  // Counts unclaimed images as finished, so that nobody loads them.
  void give_up() {
    finished += samples.range.count - claimed;
    claimed = samples.range.count;
  }
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
  State(std::shared_ptr<const Dataset> set, const LoaderOptions& loader_options)
      : dataset(std::move(set)),
        options(loader_options),
        sampler(dataset->size(), options.shuffle, options.seed) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  LoadedSamples room_for(const SampleRange& range);
  void open_job();
  Job* claimable();
  void load(Job& job, int64_t first, int64_t last) const;
  void work();
  void expect(const SampleRange& range, int64_t every);
  void go_to(int64_t first, std::unique_lock<std::mutex>& lock);
  void drop_before(const std::deque<Job>::iterator& wanted, std::unique_lock<std::mutex>& lock);
  LoadedSamples take(int64_t first);

  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;
  std::vector<std::thread> workers;

  std::mutex mutex;
  std::condition_variable work_to_do, job_finished;
  Sampler sampler;
  std::deque<Job> jobs;   // in order; a deque, since workers hold pointers to its elements
  int64_t position = -1;  // start of the next job; -1: nobody has asked for a chunk yet
  // The chunk after the one that ends at leap_from begins `leap` samples later, and so on every stride samples.
  int64_t leap_from = -1, leap = 0, stride = 0;
  std::vector<LoadedSamples> spare;  // memory that was given back
  bool stopping = false;
};

Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  work_to_do.notify_all();
  for (std::thread& worker : workers) worker.join();
}

// Returns memory for a chunk: memory that was given back, if there is any.
LoadedSamples Loader::State::room_for(const SampleRange& range) {
  const auto image = static_cast<size_t>(dataset->image_size().elements());
  const auto count = static_cast<size_t>(range.count), most = static_cast<size_t>(options.chunk);
  LoadedSamples room;
  if (spare.empty()) {
    room.memory = options.allocate((image + 1) * most * sizeof(float));
  } else {
    room = std::move(spare.back());
    spare.pop_back();
  }
  auto* const images = static_cast<float*>(room.memory.get());
  room.range = range;
  room.images = {images, image * count};
  room.labels = {reinterpret_cast<int32_t*>(images + image * count), count};
  return room;
}

// Adds a job for the chunk at `position`. If that fails, the job holds the error and has no images.
void Loader::State::open_job() {
  const SampleRange range{position, std::min(options.chunk, options.end - position)};
  position += range.count;
  if (position == leap_from) {
    position += leap;
    leap_from += stride;
  }
  Job& job = jobs.emplace_back();
  try {
    job.samples = room_for(range);
    job.order.reserve(static_cast<size_t>(range.count));
    for (int64_t i = 0; i < range.count; ++i) job.order.push_back(sampler.at(range.first + i));
  } catch (...) {
    job.error = std::current_exception();
    job.samples.range = range;
    job.give_up();
  }
}

void Loader::State::load(Job& job, int64_t first, int64_t last) const {
  const int64_t elements = dataset->image_size().elements();
  for (int64_t i = first; i < last; ++i) {
    const EpochImage& image = job.order[static_cast<size_t>(i)];
    job.samples.labels[static_cast<size_t>(i)] =
        dataset->sample(image.index, {options.seed, image.epoch}, job.samples.images.data() + i * elements);
  }
}

// Returns a job with unclaimed images. If there is none, opens one, or returns null if options.ahead or the
// end forbids that.
Job* Loader::State::claimable() {
  for (Job& job : jobs)
    if (!job.all_claimed()) return &job;
  const bool nobody_asked = position < 0;
  if (nobody_asked || position >= options.end || jobs.size() >= static_cast<size_t>(options.ahead))
    return nullptr;
  open_job();
  job_finished.notify_all();  // after an error the job is complete
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

// Gives up the jobs before one of them.
void Loader::State::drop_before(const std::deque<Job>::iterator& wanted, std::unique_lock<std::mutex>& lock) {
  for (auto job = jobs.begin(); job != wanted; ++job) job->give_up();
  for (auto left = wanted - jobs.begin(); left > 0; --left) {
    job_finished.wait(lock, [&] { return jobs.front().complete(); });
    if (jobs.front().samples.memory) spare.push_back(std::move(jobs.front().samples));
    jobs.pop_front();
  }
  work_to_do.notify_all();
}

// Makes the chunk at `first` the next one. If no job begins there, continues there.
void Loader::State::go_to(int64_t first, std::unique_lock<std::mutex>& lock) {
  const auto is_wanted = [&](const Job& job) { return job.samples.range.first == first; };
  const auto wanted = std::find_if(jobs.begin(), jobs.end(), is_wanted);
  if (wanted == jobs.end()) position = first;
  drop_before(wanted, lock);
}

void Loader::State::expect(const SampleRange& range, int64_t every) {
  std::unique_lock lock(mutex);
  const int64_t end = range.first + range.count;
  const bool known = stride == every && leap == every - range.count && (leap_from - end) % every == 0;
  if (known) return;
  leap_from = end;
  leap = every - range.count;
  stride = every;
  position = range.first;
  drop_before(jobs.end(), lock);
}

LoadedSamples Loader::State::take(int64_t first) {
  std::unique_lock lock(mutex);
  go_to(first, lock);
  if (workers.empty()) {
    if (jobs.empty()) open_job();
    if (!jobs.front().error) load(jobs.front(), 0, jobs.front().samples.range.count);
  } else {
    job_finished.wait(lock, [&] { return !jobs.empty() && jobs.front().complete(); });
  }
  // The job stays, so that every further call throws too.
  if (jobs.front().error) std::rethrow_exception(jobs.front().error);
  LoadedSamples samples = std::move(jobs.front().samples);
  jobs.pop_front();
  work_to_do.notify_all();
  return samples;
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options) {
  require(dataset->size() > 0, "loader: the data set is empty");
  require(options.workers >= 0, "loader: ", options.workers, " workers, expected 0 or more");
  require(options.chunk > 0, "loader: chunks of ", options.chunk, " samples, expected 1 or more");
  require(options.ahead > 0, "loader: ", options.ahead, " chunks ahead, expected 1 or more");
  state_ = std::make_unique<State>(std::move(dataset), options);
  for (int i = 0; i < options.workers; ++i)
    state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() = default;

LoadedSamples Loader::next(int64_t first) {
  require(first >= 0 && first < state_->options.end, "loader: position ", first, ", expected 0 to ",
          state_->options.end - 1);
  return state_->take(first);
}

void Loader::expect(const SampleRange& range, int64_t stride) { state_->expect(range, stride); }

void Loader::give_back(LoadedSamples samples) {
  const std::lock_guard lock(state_->mutex);
  state_->spare.push_back(std::move(samples));
}

}  // namespace crescendo
