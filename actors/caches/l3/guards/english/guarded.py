"""Words of English that are never read as others: of the words on a line the first stands for all."""

from typing import Final

GUARDED: Final = {
    "negation": """
not
never
no
nobody
nothing
neither
nor
nowhere
without
lack
lacking
hardly
barely
scarcely
fail
fails
failed
stop
""",
    "scope": """
all
every
each
any
some
only
several
both
either
many
much
more
most
less
least
few
fewer
enough
other
another
same
whole entire
always
usually
often
sometimes
rarely seldom
ever
once
twice
again
also
too
even
still
already
yet
just
except
exactly precisely
about
approximately roughly
almost nearly
anyone anybody
someone somebody
everyone everybody
anything
something
everything
everywhere
anywhere
somewhere
a an
this
that
these
those
""",
    "tense": """
be is are am
was were
been
being
have has
had
having
do does
did
done
""",
    "modal": """
can
could
will
would
may
might
must
should
shall
ought
cannot
need
needs
""",
    "conjunction": """
and
or
but
if
unless
whether
because
although though
while
than
as
so
then
otherwise
instead
however
""",
    "question": """
who
whom
whose
what
which
when
where
why
how
""",
    "person": """
i
me
my
mine
you
your
yours
he
him
his
she
her
hers
it
its
we
us
our
ours
they
them
their
theirs
one's
myself
yourself
himself
herself
itself
ourselves
themselves
's
s'
""",
    "direction": """
from
to
into
onto
in
on
at
of
off
out
for
by
with
within
between
among
through
via
over
under
above
below
before
after
since
until till
during
against
toward towards
up
down
near
inside
outside
behind
across
along
around
beyond
per
versus vs
like
""",
    "unit": """
celsius °c
fahrenheit °f
percent
""",
    "date": """
today
tomorrow
yesterday
tonight
now
monday
tuesday
wednesday
thursday
friday
saturday
sunday
weekend
morning
afternoon
evening
night
noon
midnight
spring
summer
autumn
winter
ago
next
last
""",
}
