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

{#
    Sum of a double that does not depend on the order in which threads meet the rows: two builds of the same rows
    must be equal to the last bit. Summed exactly, as decimals of nine places; where an absurd value does not fit,
    the group falls back to the engine's own sum.
#}
{% macro stable_sum(value) %}{{ return(adapter.dispatch('stable_sum', 'chargelake')(value)) }}{% endmacro %}
{% macro default__stable_sum(value) %}
    case
        when count({{ value }}) = count(try_cast({{ value }} as decimal(28, 9)))
            then cast(sum(try_cast({{ value }} as decimal(28, 9))) as double)
        else sum({{ value }})
    end
{%- endmacro %}

{# True where a text is a UUID. #}
{% macro is_uuid(text) %}{{ return(adapter.dispatch('is_uuid', 'chargelake')(text)) }}{% endmacro %}
{% macro uuid_pattern() %}'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'{% endmacro %}
{% macro duckdb__is_uuid(text) %}regexp_matches({{ text }}, {{ uuid_pattern() }}){% endmacro %}
{% macro spark__is_uuid(text) %}({{ text }} rlike {{ uuid_pattern() }}){% endmacro %}
