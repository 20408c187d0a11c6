{# Where engines differ. Each macro has a form for DuckDB and one for Spark; models use nothing else of either. #}

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

{#
    Sum of a double that does not depend on the order in which threads meet the rows: two builds of the same rows
    must be equal to the last bit. `ordering` must be unique within the group.
#}
{% macro stable_sum(value, ordering) %}{{ return(adapter.dispatch('stable_sum', 'chargelake')(value, ordering)) }}{% endmacro %}
{% macro duckdb__stable_sum(value, ordering) %}sum({{ value }} order by {{ ordering }}){% endmacro %}
{% macro spark__stable_sum(value, ordering) %}aggregate(transform(array_sort(collect_list(struct({{ ordering }}, {{ value }} as summand))), pair -> pair.summand), cast(null as double), (total, item) -> case when item is null then total else coalesce(total, 0) + item end){% endmacro %}

{# True where a text is a UUID. #}
{% macro is_uuid(text) %}{{ return(adapter.dispatch('is_uuid', 'chargelake')(text)) }}{% endmacro %}
{% macro uuid_pattern() %}'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'{% endmacro %}
{% macro duckdb__is_uuid(text) %}regexp_matches({{ text }}, {{ uuid_pattern() }}){% endmacro %}
{% macro spark__is_uuid(text) %}({{ text }} rlike {{ uuid_pattern() }}){% endmacro %}
