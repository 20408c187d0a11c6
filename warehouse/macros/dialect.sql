{# Where engines differ, each macro has a form for DuckDB and one for Spark; models use nothing else of either. #}

{# Wall-clock time (no zone) of an instant at an IANA zone. Always defined, also around DST changes. #}
{% macro local_time(instant, zone) %}{{ return(adapter.dispatch('local_time', 'chargelake')(instant, zone)) }}{% endmacro %}
{% macro duckdb__local_time(instant, zone) %}timezone({{ zone }}, {{ instant }}){% endmacro %}
{% macro spark__local_time(instant, zone) %}cast(convert_timezone('UTC', {{ zone }}, cast({{ instant }} as timestamp_ntz)) as timestamp_ntz){% endmacro %}

{# Minutes between two instants, as a fraction; elapsed time, so DST changes do not matter. #}
{% macro minutes_between(first, last) %}{{ return(adapter.dispatch('minutes_between', 'chargelake')(first, last)) }}{% endmacro %}
{% macro duckdb__minutes_between(first, last) %}((epoch_ms({{ last }}) - epoch_ms({{ first }})) / cast(60000 as double)){% endmacro %}
{% macro spark__minutes_between(first, last) %}((unix_millis({{ last }}) - unix_millis({{ first }})) / cast(60000 as double)){% endmacro %}

{# An instant so many days of 24 hours earlier. #}
{% macro days_before(instant, days) %}{{ return(adapter.dispatch('days_before', 'chargelake')(instant, days)) }}{% endmacro %}
{% macro duckdb__days_before(instant, days) %}({{ instant }} - to_seconds({{ days }} * cast(86400 as double))){% endmacro %}
{% macro spark__days_before(instant, days) %}({{ instant }} - make_dt_interval(0, 0, 0, {{ days }} * 86400)){% endmacro %}

{# True where a text fits a regular expression, which says itself where it begins and ends. #}
{% macro fits(text, pattern) %}{{ return(adapter.dispatch('fits', 'chargelake')(text, pattern)) }}{% endmacro %}
{% macro duckdb__fits(text, pattern) %}regexp_matches({{ text }}, '{{ pattern }}'){% endmacro %}
{% macro spark__fits(text, pattern) %}({{ text }} rlike '{{ pattern }}'){% endmacro %}

{# True where a text is a UUID. #}
{% macro is_uuid(text) %}{{ fits(text, '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$') }}{% endmacro %}

{# A tenant's own reference, where it is one word as CRM-1042; what has a blank or an @ may be anything, a person's too. #}
{% macro reference_only(text) %}case when {{ fits(text, '^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}$') }} then {{ text }} end{% endmacro %}

{# The first day of the month of a local time or day. #}
{% macro month_of(local) %}cast({{ dbt.date_trunc('month', local) }} as date){% endmacro %}

{# An instant so many minutes later; fractions count. #}
{% macro minutes_after(instant, minutes) %}{{ return(adapter.dispatch('minutes_after', 'chargelake')(instant, minutes)) }}{% endmacro %}
{% macro duckdb__minutes_after(instant, minutes) %}({{ instant }} + to_seconds({{ minutes }} * cast(60 as double))){% endmacro %}
{% macro spark__minutes_after(instant, minutes) %}({{ instant }} + make_dt_interval(0, 0, 0, {{ minutes }} * 60)){% endmacro %}

{# A row for each day from one date to another, both included; stands among a query's columns. #}
{% macro each_day(first, last) %}{{ return(adapter.dispatch('each_day', 'chargelake')(first, last)) }}{% endmacro %}
{% macro duckdb__each_day(first, last) %}cast(unnest(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval 1 day)) as date){% endmacro %}
{% macro spark__each_day(first, last) %}explode(sequence({{ first }}, {{ last }}, interval 1 day)){% endmacro %}

{# Milliseconds since 1970 of an instant, and back. #}
{% macro epoch_millis(instant) %}{{ return(adapter.dispatch('epoch_millis', 'chargelake')(instant)) }}{% endmacro %}
{% macro duckdb__epoch_millis(instant) %}epoch_ms({{ instant }}){% endmacro %}
{% macro spark__epoch_millis(instant) %}unix_millis({{ instant }}){% endmacro %}

{% macro instant_of_millis(millis) %}{{ return(adapter.dispatch('instant_of_millis', 'chargelake')(millis)) }}{% endmacro %}
{% macro duckdb__instant_of_millis(millis) %}make_timestamptz(cast(({{ millis }}) * 1000 as bigint)){% endmacro %}
{% macro spark__instant_of_millis(millis) %}timestamp_millis({{ millis }}){% endmacro %}

{# Minutes by which clocks of a zone are ahead of UTC at an instant. #}
{% macro utc_offset_minutes(instant, zone) %}{{ return(adapter.dispatch('utc_offset_minutes', 'chargelake')(instant, zone)) }}{% endmacro %}
{% macro duckdb__utc_offset_minutes(instant, zone) %}cast((epoch_ms(timezone({{ zone }}, {{ instant }})) - epoch_ms({{ instant }})) / 60000 as integer){% endmacro %}
{% macro spark__utc_offset_minutes(instant, zone) %}cast((unix_millis(from_utc_timestamp({{ instant }}, {{ zone }})) - unix_millis({{ instant }})) / 60000 as integer){% endmacro %}

{# In a select list: one row for each integer from first to last, which is not below first. #}
{% macro each_integer(first, last) %}{{ return(adapter.dispatch('each_integer', 'chargelake')(first, last)) }}{% endmacro %}
{% macro duckdb__each_integer(first, last) %}unnest(range({{ first }}, {{ last }} + 1)){% endmacro %}
{% macro spark__each_integer(first, last) %}explode(sequence(cast({{ first }} as bigint), cast({{ last }} as bigint))){% endmacro %}

{# In a select list: one row for each element of a list; none for an empty one or null. #}
{% macro each_element(list) %}{{ return(adapter.dispatch('each_element', 'chargelake')(list)) }}{% endmacro %}
{% macro duckdb__each_element(list) %}unnest({{ list }}){% endmacro %}
{% macro spark__each_element(list) %}explode({{ list }}){% endmacro %}

{# Number of elements of a list, 0 where it is null. #}
{% macro list_length(list) %}{{ return(adapter.dispatch('list_length', 'chargelake')(list)) }}{% endmacro %}
{% macro duckdb__list_length(list) %}coalesce(len({{ list }}), 0){% endmacro %}
{% macro spark__list_length(list) %}case when {{ list }} is null then 0 else size({{ list }}) end{% endmacro %}

{% macro is_in_list(list, value) %}{{ return(adapter.dispatch('is_in_list', 'chargelake')(list, value)) }}{% endmacro %}
{% macro duckdb__is_in_list(list, value) %}list_contains({{ list }}, {{ value }}){% endmacro %}
{% macro spark__is_in_list(list, value) %}array_contains({{ list }}, {{ value }}){% endmacro %}

{# The words of a text that are divided by single blanks. #}
{% macro words_of(text) %}{{ return(adapter.dispatch('words_of', 'chargelake')(text)) }}{% endmacro %}
{% macro duckdb__words_of(text) %}string_split({{ text }}, ' '){% endmacro %}
{% macro spark__words_of(text) %}split({{ text }}, ' '){% endmacro %}

{# An aggregate: the values as a list, ordered by one expression (unique within the group). #}
{% macro list_in_order(value, by) %}{{ return(adapter.dispatch('list_in_order', 'chargelake')(value, by)) }}{% endmacro %}
{% macro duckdb__list_in_order(value, by) %}list({{ value }} order by {{ by }}){% endmacro %}
{% macro spark__list_in_order(value, by) %}transform(array_sort(collect_list(struct({{ by }} as place, {{ value }} as value))), part -> part.value){% endmacro %}

{# Days since 1970-01-01 of a date. #}
{% macro days_since_1970(day) %}{{ return(adapter.dispatch('days_since_1970', 'chargelake')(day)) }}{% endmacro %}
{% macro duckdb__days_since_1970(day) %}({{ day }} - cast('1970-01-01' as date)){% endmacro %}
{% macro spark__days_since_1970(day) %}datediff({{ day }}, cast('1970-01-01' as date)){% endmacro %}

{# A list of one value. #}
{% macro list_of(value) %}{{ return(adapter.dispatch('list_of', 'chargelake')(value)) }}{% endmacro %}
{% macro duckdb__list_of(value) %}[{{ value }}]{% endmacro %}
{% macro spark__list_of(value) %}array({{ value }}){% endmacro %}
