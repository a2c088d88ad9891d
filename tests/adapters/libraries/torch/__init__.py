"""As much of torch as a test of ours needs."""


class nn:
    class Identity:
        def __call__(self, value):
            return value
